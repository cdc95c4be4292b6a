"""Which hosts may be asked, and which addresses a host may stand for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flagstone.kernel.errors import Invalid

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22}

# Inside somebody's network: an administrator may name a host there.
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"),
    )
)
# The address of a cloud's own services stays closed even there, whatever a name is made to resolve to.
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))
# Written out, since what Python counts as global differs from version to version: special purposes first, then the
# forms of IPv6 that carry an IPv4 address.
_CLOSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "100::/64",
            "2001:db8::/32",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
            "::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """A host that may be asked: a name or address, ``*.name`` for all below it, or ``*`` for every public one.

    ``port`` None means the usual one of the scheme. Only a host named in full may have a private address.
    """

    host: str
    port: int | None = None
    path_prefix: str = "/"
    schemes: tuple[str, ...] = ("https", "http", "ssh")

    @classmethod
    def parse(cls, text: str) -> AllowedHost:
        """From ``host``, ``host:port``, ``[::1]:port``, ``host/path/`` or ``https://host/``. Raises Invalid."""
        scheme, mark, rest = text.strip().rpartition("://")
        authority, slash, path = rest.partition("/")
        host, port = authority, ""
        if authority.startswith("["):
            host, _, port = authority[1:].partition("]")
            port = port.removeprefix(":")
        elif authority.count(":") == 1:
            host, _, port = authority.partition(":")
        known = not mark or scheme in DEFAULT_PORTS
        if not host or not known or set(host) & set("@?#%\\ ") or (port and not (port.isascii() and port.isdigit())):
            raise Invalid("http.bad_allowed_host", f"{text!r} is not a host.", hint="Write host, host:port or *.host.")
        schemes = (scheme,) if mark else ("https", "http", "ssh")
        return cls(normal_host(host), int(port) if port else None, "/" + path if slash else "/", schemes)

    @property
    def exact(self) -> bool:
        """Whether it names one host in full."""
        return not self.host.startswith("*")

    def allows(self, scheme: str, host: str, port: int, path: str) -> bool:
        """Whether it covers this request; ``host`` in the form of :func:`normal_host`."""
        named = self.host in (host, "*") or (not self.exact and host.endswith(self.host[1:]))
        wanted = DEFAULT_PORTS.get(scheme) if self.port is None else self.port
        return named and port == wanted and scheme in self.schemes and self._covers(path)

    def _covers(self, path: str) -> bool:
        if self.path_prefix == "/":
            return True
        # A prefix means nothing to a server that takes these for steps up or further slashes.
        lowered = path.partition("?")[0].lower()
        tricky = "/.." in lowered or "/./" in lowered or any(code in lowered for code in ("%2e", "%2f", "%5c"))
        prefix = self.path_prefix.rstrip("/")
        return not tricky and (path == prefix or path.startswith((prefix + "/", prefix + "?")))


def normal_host(host: str) -> str:
    """Lower case, without a final dot; addresses in their shortest form."""
    plain = host.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        return plain


def looks_numeric(host: str) -> bool:
    """Whether a name is one of the old ways to write an address (``2130706433``, ``0x7f.1``, ``0177.0.0.1``)."""
    last = host.rpartition(".")[2]
    return last.isdigit() or last.startswith("0x")


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped IPv6 address stands for."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet and hides no other one."""
    address = unwrapped(address)
    return address.is_global and not _within(address, _CLOSED) and not _within(address, _PRIVATE)


def _within(address: Address, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def may_connect(address: Address, host: str, rules: Sequence[AllowedHost]) -> bool:
    """Whether a host that ``rules`` cover may stand for this address.

    A private address needs a rule that names the host in full; any other closed address, such as a link-local one,
    needs a rule that names that very address.
    """
    if is_public(address):
        return True
    plain = unwrapped(address)
    exact = [rule for rule in rules if rule.exact]
    if any(rule.host in (str(address), str(plain)) for rule in exact) and host in (str(address), str(plain)):
        return True
    return bool(exact) and _within(plain, _PRIVATE) and plain not in _METADATA
