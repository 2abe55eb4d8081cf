"""Which network addresses, ports and host names a stranger's URL may lead to: tables and pure decisions.

Asked three times on a request's way: by `url_rules.py` when a URL is taken and before each use, by the resolver
in `sender.py` for every answer of the DNS, and by the socket factory there for the address about to be dialled.
Everything is refused that is not known to be public. The standard library's `is_global` and `is_private` are not
used: both call addresses public that are not (168.63.129.16, 64:ff9b::7f00:1, 2002:7f00:1::, multicast).
"""

from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What the operator changes about the tables: exceptions from them, and additions to them.

    An address in `allowed_networks` is reachable on every port, whatever the tables say. `refused_networks` names
    what only the operator knows to be his own: public addresses of this installation, a private NAT64 prefix.
    It wins over `allowed_networks`.
    """

    allowed_networks: tuple[IPNetwork, ...] = ()
    refused_networks: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """`excepted` is true where only an exception of the operator's made it so."""

    excepted: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """`reason` is for operators and for the owner of a literal address; it names a rule, never what was found."""

    reason: str


Verdict = Allowed | Refused

_DENIED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        # "RFC 6890 registry" = IANA IPv4 Special-Purpose Address Registry.
        ("0.0.0.0/8", "this network"),  # RFC 791 3.2; Linux connects 0.0.0.0 to loopback
        ("10.0.0.0/8", "private"),  # RFC 1918
        ("100.64.0.0/10", "carrier-grade NAT"),  # RFC 6598; Alibaba Cloud metadata is 100.100.100.200
        ("127.0.0.0/8", "loopback"),  # RFC 1122 3.2.1.3
        ("168.63.129.16/32", "cloud platform service"),  # Azure WireServer: public by form, local to every VM
        ("169.254.0.0/16", "link-local"),  # RFC 3927; metadata of AWS, GCP, Azure, ECS (169.254.170.2)
        ("172.16.0.0/12", "private"),  # RFC 1918
        ("192.0.0.0/24", "IETF protocol assignments"),  # RFC 6890; Oracle metadata is 192.0.0.192
        ("192.0.2.0/24", "documentation"),  # RFC 5737 TEST-NET-1
        ("192.31.196.0/24", "AS112"),  # RFC 7535
        ("192.52.193.0/24", "AMT"),  # RFC 7450
        ("192.88.99.0/24", "6to4 relay"),  # RFC 7526, deprecated anycast
        ("192.168.0.0/16", "private"),  # RFC 1918
        ("192.175.48.0/24", "AS112"),  # RFC 7534
        ("198.18.0.0/15", "benchmarking"),  # RFC 2544
        ("198.51.100.0/24", "documentation"),  # RFC 5737 TEST-NET-2
        ("203.0.113.0/24", "documentation"),  # RFC 5737 TEST-NET-3
        ("224.0.0.0/4", "multicast"),  # RFC 5771
        ("240.0.0.0/4", "reserved"),  # RFC 1112 4; 255.255.255.255 is RFC 8190
    )
)

_MAPPED_V4 = IPv6Network("::ffff:0:0/96")  # RFC 4291 2.5.5.2: the kernel dials the IPv4 address inside
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 2.1: a translator dials the IPv4 address inside
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291 2.4 and IANA: the only IPv6 space in public use

_DENIED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        # Inside 2000::/3. Teredo 2001::/32, benchmarking 2001:2::/48, AMT 2001:3::/32, AS112 2001:4:112::/48,
        # ORCHID 2001:10::/28 and 2001:20::/28 are parts of the first row.
        ("2001::/23", "IETF protocol assignments"),  # RFC 2928, RFC 4380, RFC 5180, RFC 4843, RFC 7343
        ("2001:db8::/32", "documentation"),  # RFC 3849
        ("2002::/16", "6to4"),  # RFC 3056: carries any IPv4 address
        ("2620:4f:8000::/48", "AS112"),  # RFC 7534
        ("3fff::/20", "documentation"),  # RFC 9637
        # Outside 2000::/3 everything is refused; these rows only give the refusal its name.
        ("::/128", "unspecified"),  # RFC 4291 2.5.2
        ("::1/128", "loopback"),  # RFC 4291 2.5.3
        ("64:ff9b:1::/48", "local NAT64"),  # RFC 8215
        ("100::/64", "discard-only"),  # RFC 6666
        ("100:0:0:1::/64", "dummy prefix"),  # RFC 9780
        ("5f00::/16", "segment routing"),  # RFC 9602
        ("fc00::/7", "private"),  # RFC 4193; AWS metadata fd00:ec2::254, GCP fd20:ce::254
        ("fe80::/10", "link-local"),  # RFC 4291 2.5.6
        ("fec0::/10", "site-local"),  # RFC 3879, deprecated
        ("ff00::/8", "multicast"),  # RFC 4291 2.7
    )
)

# RFC 5214 6.1: an interface identifier that carries any IPv4 address, under any prefix.
_ISATAP_IDENTIFIERS = frozenset({0x0000_5EFE, 0x0200_5EFE})

_WEB_PORTS = frozenset({80, 443})
_FIRST_USER_PORT = 1024  # RFC 6335 6: below it are the system ports

_REFUSED_PORTS: dict[int, str] = {
    # Services that take a POST, or part of one, for a command: rows are their projects' default ports.
    1433: "SQL Server",
    1521: "Oracle",
    1719: "H.323",  # this and the rows marked W: WHATWG Fetch, "bad ports"
    1720: "H.323",  # W
    1723: "PPTP",  # W
    2049: "NFS",  # W
    2181: "ZooKeeper",
    2375: "Docker",
    2376: "Docker",
    2379: "etcd",
    2380: "etcd",
    3306: "MySQL",
    3389: "remote desktop",
    3659: "Apple SASL",  # W
    4045: "NFS lock manager",  # W
    4190: "ManageSieve",  # W
    4369: "Erlang port mapper",
    5060: "SIP",  # W
    5061: "SIP",  # W
    5432: "PostgreSQL",
    5671: "RabbitMQ",
    5672: "RabbitMQ",
    5984: "CouchDB",
    6000: "X11",  # W
    6379: "Redis",
    6432: "PgBouncer",
    6443: "Kubernetes",
    6566: "SANE",  # W
    6665: "IRC",  # W, with the next four rows
    6666: "IRC",
    6667: "IRC",
    6668: "IRC",
    6669: "IRC",
    6679: "OSAUT",  # W
    6697: "IRC",  # W
    8500: "Consul",
    9042: "Cassandra",
    9092: "Kafka",
    9200: "Elasticsearch",
    9300: "Elasticsearch",
    10080: "Amanda",  # W
    10250: "kubelet",
    10255: "kubelet",
    11211: "memcached",
    15672: "RabbitMQ",
    25672: "RabbitMQ",
    27017: "MongoDB",
}

# Names that cloud platforms and Kubernetes answer with something of the host's own. No exception opens them: the
# operator who wants one of these reached can name its address.
_METADATA_NAMES = frozenset(
    {
        "instance-data",  # AWS, inside a VPC with its own search domain
        "instance-data.ec2.internal",  # AWS
        "kubernetes.default",  # Kubernetes API server
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "metadata",  # GCP, by search domain
        "metadata.azure.com",  # Azure
        "metadata.azure.internal",
        "metadata.goog",  # GCP
        "metadata.google.internal",  # GCP
    }
)

# RFC 6762 (local), RFC 6761 (localhost), ICANN 2024 (internal), RFC 8375 (home.arpa), RFC 7686 (onion),
# and the customary names of local networks that ICANN withholds (corp, home, lan).
_INNER_ENDINGS = frozenset({"local", "localhost", "internal", "home.arpa", "onion", "corp", "home", "lan"})


def parse_networks(text: str) -> tuple[IPNetwork, ...]:
    """Networks out of a setting, comma separated; ValueError for what is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def judge_address(address: str | IPAddress, policy: AddressPolicy) -> Verdict:
    """Whether this address may be dialled, leaving its port aside. Total: text that is no address is refused."""
    try:
        parsed = ip_address(address) if isinstance(address, str) else address
    except (ValueError, AddressValueError):
        return Refused("not an IP address")
    if isinstance(parsed, IPv4Address):
        return _judge_v4(parsed, policy)
    return _judge_v6(parsed, policy)


def judge_port(port: int) -> Verdict:
    """Whether this port may be dialled at a public address; addresses excepted by the operator have all ports."""
    if not 0 < port < 65536:
        return Refused(f"{port} is not a port number")
    if port in _WEB_PORTS:
        return Allowed()
    if port < _FIRST_USER_PORT:
        return Refused(f"port {port} is a system port; of these only 80 and 443 are allowed")
    if port in _REFUSED_PORTS:
        return Refused(f"port {port} belongs to {_REFUSED_PORTS[port]}")
    return Allowed()


def judge_dial(address: str | IPAddress, port: int, policy: AddressPolicy) -> Verdict:
    """The last word before a socket is made: address and port together."""
    verdict = judge_address(address, policy)
    if isinstance(verdict, Refused) or verdict.excepted:
        return verdict
    return judge_port(port)


def judge_name(name: str, policy: AddressPolicy) -> Verdict:
    """Whether this host name may be resolved at all; `name` in lower-case ASCII (after IDNA), no final dot.

    Names of inner networks (one label, `*.internal`, `*.local`, `*.localhost`) are refused unless the operator
    made exceptions; then they are `Allowed(excepted=True)`: every answer must be an excepted address.
    """
    if name.endswith(".") or ".." in name or name.startswith(".") or not name:
        return Refused("a host name has no empty label")
    if name in _METADATA_NAMES or name.endswith(".metadata.google.internal"):
        return Refused("the name of a cloud platform's own service")
    last = name.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        # WHATWG URL, "ends in a number": a resolver may read 0x7f.1, 127.1 or 2130706433 as 127.0.0.1.
        return Refused("a number is not a host name")
    if "." not in name or last in _INNER_ENDINGS or name.endswith(".home.arpa") or name == "home.arpa":
        if not policy.allowed_networks:
            return Refused("the name of an inner network")
        return Allowed(excepted=True)
    return Allowed()


def judge_answers(name: str, port: int, addresses: tuple[str, ...], policy: AddressPolicy) -> Verdict:
    """Whether a name with these DNS answers may be dialled: every answer must be allowed, not only one.

    A name that mixes public and private answers is refused as a whole: which one is dialled would be chance.
    """
    by_name = judge_name(name, policy)
    if isinstance(by_name, Refused):
        return by_name
    if not addresses:
        return Refused("the name has no address")
    for address in addresses:
        verdict = judge_dial(address, port, policy)
        if isinstance(verdict, Refused):
            return verdict
        if by_name.excepted and not verdict.excepted:
            return Refused("the name of an inner network")
    return by_name


def _judge_v4(address: IPv4Address, policy: AddressPolicy) -> Verdict:
    by_operator = _judge_by_operator(address, policy)
    if by_operator is not None:
        return by_operator
    return _judge_v4_by_table(address)


def _judge_v4_by_table(address: IPv4Address) -> Verdict:
    for network, reason in _DENIED_V4:
        if address in network:
            return Refused(reason)
    return Allowed()


def _judge_v6(address: IPv6Address, policy: AddressPolicy) -> Verdict:
    if address.scope_id is not None:
        return Refused("an address with a zone")
    if address in _MAPPED_V4:
        return _judge_v4(_embedded(address), policy)
    by_operator = _judge_by_operator(address, policy)
    if by_operator is not None:
        return by_operator
    if address in _NAT64:
        # The table alone: an exception for 127.0.0.0/8 means this host, not the translator's loopback.
        embedded = _embedded(address)
        if any(embedded in network for network in policy.refused_networks):
            return Refused("refused by the operator")
        return _judge_v4_by_table(embedded)
    for network, reason in _DENIED_V6:
        if address in network:
            return Refused(reason)
    if address not in _GLOBAL_UNICAST:
        return Refused("not a public IPv6 address")
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP_IDENTIFIERS:
        return Refused("ISATAP")
    return Allowed()


def _judge_by_operator(address: IPAddress, policy: AddressPolicy) -> Verdict | None:
    if any(address in network for network in policy.refused_networks):
        return Refused("refused by the operator")
    if any(address in network for network in policy.allowed_networks):
        return Allowed(excepted=True)
    return None


def _embedded(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
