"""Root causes of the same cases with what may differ on another system made to differ: names of services, names of metrics
(as several monitoring systems give them, and nonsense), their order, their units, series that are missing."""
import csv, gzip, io, json, os, random, tempfile
from rows import DATA, kedge, note, row

RCA = DATA + "rca/"
SURE = .95
FILES = {"metrics": "metrics", "normal_metrics": "metrics", "spans": "spans", "normal_spans": "spans", "graph": "graph"}
# What each of our names begins with, and what stands for it there; "{}" is the rest.
DIALECTS = {
    "micrometer": {
        "latency.Average": "http_server_requests_seconds_avg", "latency.p": "http_server_requests_seconds_p{}",
        "availability": "http_server_requests_success_ratio", "requests": "http_server_requests_seconds_count",
        "CpuUsageRate": "process_cpu_usage_percent", "CpuUsage": "process_cpu_usage_millicores",
        "MemoryUsageRate": "jvm_memory_used_percent", "MemoryUsage": "jvm_memory_used_mib",
        "NetworkReceive": "network_receive_bytes", "NetworkTransmit": "network_transmit_bytes",
        "PodClientLatencyP": "http_client_requests_seconds_p{}", "PodServerLatencyP": "http_server_requests_seconds_p{}",
        "PodSuccess": "http_server_requests_ok_percent", "PodWorkload": "http_server_requests_per_second",
        "SyscallRead": "process_syscr", "SyscallWrite": "process_syscw", "LatencyP": "gateway_requests_seconds_p{}",
        "SuccessRate": "gateway_requests_ok_percent", "cpu": "process_cpu_usage", "mem": "jvm_memory_used_bytes",
        "lod": "http_server_requests_rate", "lat_": "http_server_requests_seconds_p{}"},
    "cloud": {
        "latency.Average": "TargetResponseTime.Average", "latency.p": "TargetResponseTime.p{}",
        "availability": "HealthyRequestPercentage", "requests": "RequestCount", "CpuUsageRate": "CPUUtilization",
        "CpuUsage": "CPUUsed", "MemoryUsageRate": "MemoryUtilization", "MemoryUsage": "MemoryUsed",
        "NetworkReceive": "NetworkIn", "NetworkTransmit": "NetworkOut", "PodClientLatencyP": "UpstreamResponseTime.p{}",
        "PodServerLatencyP": "TargetResponseTime.p{}", "PodSuccess": "HTTPCode_2XX_Percent",
        "PodWorkload": "RequestCountPerTarget", "SyscallRead": "ReadOps", "SyscallWrite": "WriteOps",
        "LatencyP": "LoadBalancerResponseTime.p{}", "SuccessRate": "LoadBalancerHTTPCode_2XX_Percent",
        "cpu": "CPUUtilization", "mem": "MemoryUtilization", "lod": "RequestCount", "lat_": "TargetResponseTime.p{}"},
    "transactions": {
        "latency.Average": "transaction.time.ms.mean", "latency.p": "transaction.time.ms.p{}", "availability": "ok_rate",
        "requests": "transactions.rpm", "CpuUsageRate": "system.processor.pct", "CpuUsage": "system.processor.time",
        "MemoryUsageRate": "ram.pct", "MemoryUsage": "ram.used", "NetworkReceive": "bytes_in",
        "NetworkTransmit": "bytes_out", "PodClientLatencyP": "outgoing.time.ms.p{}",
        "PodServerLatencyP": "transaction.time.ms.p{}", "PodSuccess": "ok_rate", "PodWorkload": "transactions.per.min",
        "SyscallRead": "sys.r", "SyscallWrite": "sys.w", "LatencyP": "edge.time.ms.p{}", "SuccessRate": "edge.ok_rate",
        "cpu": "processor.pct", "mem": "ram.used", "lod": "transactions.per.sec", "lat_": "transaction.time.ms.p{}"},
    "telemetry": {
        "latency.Average": "http.server.request.duration.mean", "latency.p": "http.server.request.duration.p{}",
        "availability": "slo.availability", "requests": "http.server.requests",
        "CpuUsageRate": "pod.cpu_limit_utilization", "CpuUsage": "pod.cpu.usage",
        "MemoryUsageRate": "pod.memory_limit_utilization", "MemoryUsage": "pod.memory.usage",
        "NetworkReceive": "pod.network.io.receive", "NetworkTransmit": "pod.network.io.transmit",
        "PodClientLatencyP": "http.client.request.duration.p{}", "PodServerLatencyP": "http.server.request.duration.p{}",
        "PodSuccess": "http.server.success.pct", "PodWorkload": "http.server.rate", "SyscallRead": "process.disk.io.read",
        "SyscallWrite": "process.disk.io.write", "LatencyP": "ingress.request.duration.p{}",
        "SuccessRate": "ingress.success.pct", "cpu": "process.cpu.time", "mem": "process.memory.usage",
        "lod": "http.server.request.rate", "lat_": "http.server.request.duration.p{}"},
}


def lines(path):
    return [json.loads(l) for l in open(path, encoding="utf-8")]


class Elsewhere:
    """The world of the cases as `changes` have it: "services", "order", "units", "missing", "nonsense" or a dialect."""

    def __init__(self, folder, changes, seed):
        self.folder, self.changes, self.seed, self.words, self.written = folder, changes, seed, {}, {}
        self.dialect = next((DIALECTS[c] for c in changes if c in DIALECTS), {})

    def chance(self, *about):
        return random.Random("/".join(map(str, (self.seed,) + about)))

    def word(self, *about):
        if about not in self.words:
            r = self.chance("word", *about)
            self.words[about] = "".join(r.choice("bcdfgklmnprstvw") + r.choice("aeiou") for _ in range(4))
        return self.words[about]

    def service(self, system, name):
        return self.word(system, "service", name) if "services" in self.changes else name

    def metric(self, system, name):
        if "nonsense" in self.changes:
            return self.word(system, "metric", name)
        for begin, instead in self.dialect.items():
            if name.startswith(begin):
                return instead.format(name[len(begin):])
        return name

    def metrics(self, system, rows, kept):
        head, columns = rows[0], list(range(1, len(rows[0])))
        if "missing" in self.changes:
            columns = [i for i in columns if head[i] == kept or self.chance(system, head[i]).random() >= .1]
        if "order" in self.changes:
            self.chance(system).shuffle(columns)
        names, scales = [head[0]], {}
        for i in columns:
            service, _, metric = head[i].partition("|")
            names.append(self.service(system, service) + "|" + self.metric(system, metric))
            scales[i] = 10 ** self.chance("unit", system, metric).uniform(-3, 3) if "units" in self.changes else 1
        value = lambda x, i: repr(float(x) * scales[i]) if x and scales[i] != 1 else x
        return [names] + [[r[0]] + [value(r[i], i) for i in columns] for r in rows[1:]]

    def names(self, system, rows, columns):
        at = [i for i, name in enumerate(rows[0]) if name in columns]
        return [rows[0]] + [[self.service(system, x) if i in at else x for i, x in enumerate(r)] for r in rows[1:]]

    def file(self, system, path, kind, kept):
        if (path, kept) not in self.written:
            with gzip.open(RCA + path, "rt") as f:
                rows = list(csv.reader(f))
            rows = self.metrics(system, rows, kept) if kind == "metrics" else \
                self.names(system, rows, ("service", "caller", "callee"))
            to = os.path.join(self.folder, "%d.csv" % len(self.written))
            with open(to, "w", newline="") as f:
                csv.writer(f, lineterminator="\n").writerows(rows)
            self.written[path, kept] = to
        return self.written[path, kept]

    def case(self, case):
        case, system, alert = dict(case), case["system"], case.get("alert")
        kept = "%(node)s|%(metric)s" % alert if alert else None  # what raised the alarm is there
        for key, kind in FILES.items():
            if key in case:
                case[key] = self.file(system, case[key], kind, kept)
        if alert:
            case["alert"] = dict(alert, node=self.service(system, alert["node"]),
                                 metric=self.metric(system, alert["metric"]))
        case.pop("logs", None)
        case.pop("normal_logs", None)
        return case


def measure(what, changes, cases, labels, seed=1):
    with tempfile.TemporaryDirectory() as folder:
        world = Elsewhere(folder, changes, seed)
        path = os.path.join(folder, "cases.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(world.case(c)) + "\n" for c in cases)
        answers = {a["case"]: a for a in map(json.loads, kedge("analyze", "cause", "--cases", path).splitlines())}
    hits, sure = {}, []
    for c in cases:
        a, roots = answers[c["case"]], [world.service(c["system"], s) for s in labels[c["case"]]["root"]]
        hit = a["rank"][:1] != [] and a["rank"][0] in roots
        hits.setdefault(c["system"], []).append(hit)
        if a["conf"] >= SURE:
            sure.append(hit)
    for system, h in sorted(hits.items()):
        row("cause, " + what, "AC@1 " + system, sum(h) / len(h), n=len(h))
    row("cause, " + what, "conf >= .95, right", sum(sure) / max(1, len(sure)), n=len(sure), must=.95)


def main():
    cases, labels = lines(RCA + "cases.jsonl"), {l["case"]: l for l in lines(RCA + "labels.jsonl")}
    measure("as they are", (), cases, labels)
    measure("other names, order, units", ("services", "order", "units"), cases, labels)
    for dialect in DIALECTS:
        measure("named as " + dialect, (dialect,), cases, labels)
    for seed in (1, 2):
        measure("a tenth is missing", ("missing",), cases, labels, seed)
    measure("metrics of no meaning", ("nonsense",), cases, labels)
    note("A tenth missing: the series that raised the alarm stays. Of no meaning: nothing tells a latency from a count.")


main()
