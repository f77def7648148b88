"""The numbers in Prometheus' text format, made by its own library."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from authapp.metrics.declared import METRICS, PREFIX, Declared
from authapp.metrics.meter import Key, Numbers

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Given(Collector):
    """Numbers as the library wants them."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """Yield each declared metric with its samples."""
        samples: defaultdict[str, list[tuple[Key, float]]] = defaultdict(list)
        for key, value in self._numbers.items():
            samples[key[0]].append((key, value))
        for one in METRICS:
            metric = Metric(PREFIX + one.name, one.help, one.kind)
            for (name, labels), value in (sample for part in _samples(one) for sample in samples[part]):
                metric.add_sample(PREFIX + name, dict(labels), value)
            yield metric


def _samples(one: Declared) -> tuple[str, ...]:
    if one.kind == "histogram":
        return tuple(f"{one.name}_{part}" for part in ("bucket", "sum", "count"))
    return (f"{one.name}_total" if one.kind == "counter" else one.name,)


def write(numbers: Numbers) -> bytes:
    """Return them as text."""
    registry = CollectorRegistry()
    registry.register(_Given(numbers))
    return generate_latest(registry)
