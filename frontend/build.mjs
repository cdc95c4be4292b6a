// Builds the web assets: bundles CSS and JS, takes htmx, fonts, licences and the icons that icons.json names, and writes
// content-hashed files with .br and .gz twins. Usage: node build.mjs OUT_DIR
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const out = process.argv[2];
if (!out) {
  console.error("usage: node build.mjs OUT_DIR");
  process.exit(2);
}
const TARGET = ["chrome125", "firefox128", "safari17.4"];
const COMPRESSED = /\.(css|js|svg|txt)$/;
mkdirSync(out, { recursive: true });

/** Bundle the entry points; returns [logical name, bytes, already hashed name] of every output. */
async function bundle() {
  const result = await build({
    entryPoints: { flagstone: "src/css/index.css", kit: "src/js/kit.js", theme: "src/js/theme.js" },
    bundle: true,
    minify: true,
    format: "esm",
    target: TARGET,
    loader: { ".woff2": "file" },
    entryNames: "[name].[hash]",
    assetNames: "[name].[hash]",
    outdir: out,
    write: false,
    logLevel: "warning",
  });
  return result.outputFiles.map((file) => {
    const name = basename(file.path);
    return [name.replace(/\.[A-Z0-9]{8}\./, "."), Buffer.from(file.contents), name];
  });
}

/** The inner markup of the icons that are used, as one JSON object; pages inline them. */
function icons() {
  const drawn = {};
  for (const name of [...new Set(JSON.parse(readFileSync("icons.json", "utf8")))].sort()) {
    const source = readFileSync(`node_modules/lucide-static/icons/${name}.svg`, "utf8");
    drawn[name] = source.match(/<svg[\s\S]*?>([\s\S]*)<\/svg>/)[1].replace(/\s*\n\s*/g, "").replace(/ \/>/g, "/>");
  }
  return drawn;
}

function hashed(name, bytes) {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
  return name.replace(/(\.[^.]+)$/, `.${hash}$1`);
}

/** The licences of what the browser gets from others, as they ask for it. */
function licences() {
  const packages = Object.keys(JSON.parse(readFileSync("package.json", "utf8")).dependencies);
  const texts = packages.sort().map((name) => {
    const folder = `node_modules/${name}`;
    const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    return `${name} ${version}\n\n${readFileSync(`${folder}/LICENSE`, "utf8").trim()}\n`;
  });
  return Buffer.from(texts.join(`\n${"-".repeat(78)}\n\n`));
}

const copied = [
  ["htmx.js", readFileSync("node_modules/htmx.org/dist/htmx.min.js")],
  ["favicon.svg", readFileSync("src/favicon.svg")],
  ["licences.txt", licences()],
].map(([name, bytes]) => [name, bytes, hashed(name, bytes)]);

const files = {};
for (const [name, bytes, target] of [...(await bundle()), ...copied]) {
  files[name] = target;
  writeFileSync(join(out, target), bytes);
  if (COMPRESSED.test(target)) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
    writeFileSync(join(out, `${target}.br`), brotliCompressSync(bytes, { params }));
    writeFileSync(join(out, `${target}.gz`), gzipSync(bytes, { level: 9 }));
  }
}

// The manifest is replaced in one step, then the files of older builds go: a running server never sees half a build.
writeFileSync(join(out, "manifest.json.new"), `${JSON.stringify({ files, icons: icons() }, null, 1)}\n`);
renameSync(join(out, "manifest.json.new"), join(out, "manifest.json"));
const kept = new Set(Object.values(files).flatMap((name) => [name, `${name}.br`, `${name}.gz`]));
for (const name of readdirSync(out)) {
  if (!kept.has(name) && name !== "manifest.json" && name !== "sources.txt") {
    rmSync(join(out, name), { recursive: true, force: true });
  }
}
