// Behaviour that the browser cannot give by itself. No framework; nothing here needs inline script or eval.
import "./toast.js";
import "./theme-menu.js";
import "./dialogs.js";
import "./palette.js";
import "./shortcuts.js";
import "./page.js";
import "./charts.js";
import "./relation-graph.js";
import "./entity-picker.js";
import "./run-log.js";
import "./file-tree.js";
