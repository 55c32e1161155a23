"""The paper's network at its full size on this CPU: a training step, and the forward pass alone.

Beside ours stand the stock network, with torch's own normalisation in the same formula, one with none, and
the limit: what the matrix products of its layers take by themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from bench_setup import Runner, network_of
from benching import Row, Section, Turns, in_turn, timed
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from deeppose.cascade.batches import Batch
from deeppose.core.params import Params
from deeppose.core.training_params import Device
from deeppose.networks.alexnet import LRN_ALPHA, LRN_BETA, LRN_CHANNELS, LRN_K, LocalResponseNorm
from deeppose.networks.regressor import Regressor, parameter_count

CPU = Device(accelerator="cpu", devices=1, precision="32-true", crops="host")
MIXED = Device(accelerator="cpu", devices=1, precision="bf16-mixed", crops="host")
OURS, STOCK, NONE, LIMIT = "ours", "torch's normalisation", "no normalisation", "the matrix products alone"
MOST_COLUMNS = 2**14
"""A product over more positions is timed on so many, and its time scaled up."""
PROFILED = 10


@dataclass(frozen=True)
class Product:
    """(rows × inner) times (inner × columns), `times` over."""

    rows: int
    inner: int
    columns: int
    times: float = 1.0

    @property
    def operations(self) -> float:
        """Multiplications and additions."""
        return 2.0 * self.rows * self.inner * self.columns * self.times


class Products:
    """Matrix products of random numbers: how long they take by themselves.

    Each is made by the faster of two libraries, that behind torch's `mm` and oneDNN, which makes torch's
    convolutions; which one that is, the first call finds out. Operands lie as is best for them, and are laid
    out before the clock starts. So it is the time of a network that does nothing but multiply, and whose
    convolutions find their inputs unfolded already.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self.products = products
        self.fastest: list[Callable[[], object]] = []

    def seconds(self) -> float:
        """What all products take, one after the other."""
        if not self.fastest:
            for product in self.products:
                kernels = kernels_of(product)
                self.fastest.append(min(kernels, key=lambda kernel: min(timed(kernel)() for _ in range(3))))
        with torch.inference_mode():
            taken = [timed(kernel)() for kernel in self.fastest]
        return sum(seconds * p.times for seconds, p in zip(taken, self.products, strict=True))


def kernels_of(product: Product) -> list[Callable[[], object]]:
    left, right = torch.randn(product.columns, product.inner), torch.randn(product.rows, product.inner)
    kernels: list[Callable[[], object]] = [lambda: left @ right.T]
    if torch.backends.mkldnn.is_available():
        inputs, weights = left.to_mkldnn(), right.to_mkldnn()
        kernels.append(torch.inference_mode()(lambda: functional.linear(inputs, weights)))
    return kernels


def products_of(network: Regressor, images: int, *, backward: bool) -> list[Product]:
    """The products that a network's layers come to for so many crops.

    A convolution with a kernel of k numbers, over all input channels, is (outputs × k) times (k × positions
    of all crops), as is a fully connected layer, which has one position. Going backward the gradient of the
    weights is (outputs × positions) times (positions × k), that of the inputs (k × outputs) times (outputs ×
    positions); the first layer's inputs need none.
    """
    products = []
    for number, (outputs, inner, positions) in enumerate(layer_sizes(network)):
        columns = min(positions * images, MOST_COLUMNS)
        times = positions * images / columns
        products.append(Product(outputs, inner, columns, times))
        if backward:
            products.append(Product(outputs, columns, inner, times))
            if number > 0:
                products.append(Product(inner, outputs, columns, times))
    return products


def layer_sizes(network: Regressor) -> list[tuple[int, int, int]]:
    """Of each layer that is a matrix product: outputs, inputs of one output, positions in a crop."""
    sizes: list[tuple[int, int, int]] = []

    def note(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer.weight, Tensor)
        sizes.append((len(layer.weight), layer.weight[0].numel(), output[0].numel() // len(layer.weight)))

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    with torch.inference_mode():
        network.eval()(torch.zeros((1, network.size, network.size, 3), dtype=torch.uint8))
    for handle in handles:
        handle.remove()
    return sizes


def with_normalisation(network: Regressor, layer: Callable[[], nn.Module]) -> Regressor:
    for name, child in list(network.named_modules()):
        if isinstance(child, LocalResponseNorm):
            network.set_submodule(name, layer())
    return network


def stock_normalisation() -> nn.Module:
    """Torch's own layer in Krizhevsky's formula: it divides alpha by the number of channels."""
    return nn.LocalResponseNorm(LRN_CHANNELS, LRN_CHANNELS * LRN_ALPHA, LRN_BETA, LRN_K)


class SinglePrecision(LocalResponseNorm):
    """Our normalisation, in single precision whatever its features are."""

    def forward(self, features: Tensor) -> Tensor:
        """`(b, c, h, w)` to the same shape."""
        return super().forward(features.float()).to(features.dtype)


def network_sections(params: Params, batch: Batch, rounds: int) -> list[Section]:
    """Training and the forward pass on one batch, against the limit, and where a step's time goes."""
    network, images = network_of(params), len(batch.crops)
    forward, backward = (products_of(network, images, backward=b) for b in (False, True))
    networks = {
        OURS: network_of(params),
        STOCK: with_normalisation(network_of(params), stock_normalisation),
        NONE: with_normalisation(network_of(params), nn.Identity),
    }
    each = {name: Runner(params, CPU, network) for name, network in networks.items()}
    train = {name: timed(partial(runner.train, batch)) for name, runner in each.items()}
    trained = in_turn(train | {LIMIT: Products(backward).seconds}, rounds)
    passes = {name: timed(partial(runner.model.module.eval(), batch.crops)) for name, runner in each.items()}
    with torch.inference_mode():
        passed = in_turn(passes | {LIMIT: Products(forward).seconds}, rounds)
    share = sum(product.operations for product in forward) / images / 1e9
    size = (
        f"{parameter_count(network) / 1e6:.1f} million parameters, {share:.2f} GFLOP forward an image. "
        f"Batches of {images} crops."
    )
    profiled = profile_rows(lambda: each[OURS].train(batch))
    note = "By torch's profiler, the operations that take the most, without those that they call."
    return [
        Section("Training the paper's network", speed_rows(trained, images, least=0.65), size),
        Section("Its forward pass alone", speed_rows(passed, images, least=0.8)),
        Section("Where the time of a training step goes", profiled, note),
        mixed_section(params, batch, rounds),
    ]


def mixed_section(params: Params, batch: Batch, rounds: int) -> Section:
    """Training in bfloat16 beside training in single precision."""
    single, mixed, widened = "32-true", "bf16-mixed", "bf16-mixed, normalised in single precision"
    runners = {
        single: Runner(params, CPU, network_of(params)),
        mixed: Runner(params, MIXED, network_of(params)),
        widened: Runner(params, MIXED, with_normalisation(network_of(params), SinglePrecision)),
    }
    turns = in_turn({name: timed(partial(runner.train, batch)) for name, runner in runners.items()}, rounds)
    rows = [Row(f"{name}, images/s", len(batch.crops) / turns.median(name), ".1f") for name in runners]
    rows += [Row(f"times as fast as {name}", turns.ratio(name, mixed)) for name in (single, widened)]
    return Section("Training it in mixed bfloat16", rows, "Slow on a CPU without AVX-512-BF16 or AMX.")


def speed_rows(turns: Turns, images: int, *, least: float) -> list[Row]:
    """Images a second of each, and how ours stands to the others."""
    speeds = [Row(f"{name}, images/s", images / turns.median(name), ".1f") for name in turns.seconds]
    return [
        *speeds,
        Row("times as fast as with torch's normalisation", turns.ratio(STOCK, OURS), at_least=1.6),
        Row("times as fast, were there no normalisation", turns.ratio(STOCK, NONE)),
        Row("share of the limit from matrix products", turns.ratio(LIMIT, OURS), at_least=least),
    ]


def profile_rows(work: Callable[[], object]) -> list[Row]:
    """The operations that take the most of `work`'s time, and their shares."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        work()
    operations = sorted(seen.key_averages(), key=lambda e: e.self_cpu_time_total, reverse=True)
    total = sum(operation.self_cpu_time_total for operation in operations)
    return [
        Row(f"`{operation.key}`, {operation.count} calls", operation.self_cpu_time_total / total, ".1%")
        for operation in operations[:PROFILED]
    ]
