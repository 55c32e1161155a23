import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import dots
import numpy as np
import pandas as pd
import pytest
import small_training
import torch

from deeppose.cascade import training
from deeppose.cascade.batches import Batch, LastPart
from deeppose.cascade.device_images import DeviceImages
from deeppose.cascade.devices import set_up_device
from deeppose.cascade.processes import start_fabric
from deeppose.cascade.training import fingerprint, learning_rate, mixed_seed, train
from deeppose.core.errors import DeviceError, NotFiniteError, StageError
from deeppose.core.training_params import Adagrad, AdamW, Device, Training
from deeppose.networks.regressor import squared_distances
from deeppose.networks.spatial import SpatialNet


@pytest.fixture(autouse=True)
def _as_before():
    """Other tests keep their threads and their choice of algorithms."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


# The loss


def test_the_loss_sums_squared_distances_by_their_weights():
    outputs = torch.tensor([[[1.0, 2.0], [0.0, 0.0]], [[0.5, 0.0], [3.0, 4.0]]])
    targets = torch.tensor([[[0.0, 0.0], [9.0, 9.0]], [[0.0, 0.0], [0.0, 0.0]]])
    weights = torch.tensor([[1.0, 0.0], [1.0, 0.5]])
    assert squared_distances(outputs, targets, weights).tolist() == [5.0, 12.75]


def test_a_joint_that_does_not_count_has_no_gradient():
    outputs = torch.tensor([[[1.0, 2.0], [3.0, 1.0]]], requires_grad=True)
    targets = torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])
    loss = squared_distances(outputs, targets, torch.tensor([[1.0, 0.0]]))
    loss.sum().backward()
    assert outputs.grad.tolist() == [[[2.0, 4.0], [0.0, 0.0]]]


@pytest.mark.parametrize(
    ("outputs", "targets", "weights"),
    [((3, 2, 2), (2, 2), (3, 2)), ((3, 2, 2), (3, 2, 2), (3, 1)), ((3, 1, 2), (3, 2, 2), (3, 2))],
)
def test_nothing_broadcasts_by_accident(outputs, targets, weights):
    with pytest.raises(ValueError, match="outputs"):
        squared_distances(torch.zeros(outputs), torch.zeros(targets), torch.ones(weights))


# The optimiser


def changes_of(tmp_path, name, **settings):
    before = small_training.network().state_dict()
    trained, _ = small_training.run(tmp_path / name, steps=1, dropout=0.0, **settings)
    return {key: value - before[key] for key, value in trained.state_dict().items() if key != "mean"}


def test_the_first_step_of_adagrad_moves_each_weight_by_the_learning_rate(tmp_path):
    optimizer = small_training.OPTIMIZER | {"learning_rate": 0.01}
    moves = torch.cat([c.flatten() for c in changes_of(tmp_path, "a", optimizer=optimizer).values()])
    moved = moves[moves != 0].abs()
    assert len(moved) > 0.3 * len(moves)
    torch.testing.assert_close(moved.median(), torch.tensor(0.01), rtol=0, atol=1e-6)
    assert (moved < 0.01001).all()


def test_a_sum_weighs_a_batch_by_its_size(tmp_path):
    # With so large an accumulator a step is proportional to its gradient.
    optimizer = small_training.OPTIMIZER | {"learning_rate": 10.0, "initial_accumulator": 1e8}
    mean, total = (changes_of(tmp_path, loss, optimizer=optimizer, loss=loss) for loss in ("mean", "sum"))
    bias = "regressor.7.bias"
    assert mean[bias].abs().max() > 1e-6
    torch.testing.assert_close(total[bias], 6 * mean[bias], rtol=1e-3, atol=1e-9)


def test_it_learns(tmp_path):
    optimizer = small_training.OPTIMIZER | {"learning_rate": 0.01, "initial_accumulator": 0.01}
    _, log = small_training.run(
        tmp_path / "state.pt", steps=200, dropout=0.0, report_every=50, optimizer=optimizer
    )
    assert log["loss"].is_monotonic_decreasing
    assert log["loss"].iloc[-1] < 0.75 * log["loss"].iloc[0]


# Kills and restarts


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return small_training.run(tmp_path_factory.mktemp("undisturbed") / "state.pt")


def assert_same_bits(run, other):
    for key, value in run[0].state_dict().items():
        assert torch.equal(value, other[0].state_dict()[key]), key
    pd.testing.assert_frame_equal(run[1], other[1], check_exact=True)


def test_the_log_has_a_row_a_report_and_one_at_the_end(undisturbed):
    network, log = undisturbed
    assert log.columns.tolist() == ["step", "loss", "held_out_pdj@0.2"]
    assert log["step"].tolist() == [3, 6, 9, 10]
    assert log["held_out_pdj@0.2"].iloc[-1] == small_training.sum_of_weights(network)
    assert log["loss"].gt(0).all()


class StopError(Exception):
    pass


def breaking_off_at(report):
    """A judge that stops the training at one of its reports."""
    reports = []

    def judge(network):
        reports.append(network)
        if len(reports) == report:
            raise StopError
        return small_training.sum_of_weights(network)

    return judge


@pytest.mark.parametrize("report", [1, 2, 4])
def test_a_run_that_broke_off_at_a_report_ends_the_same(tmp_path, undisturbed, report):
    with pytest.raises(StopError):
        small_training.run(tmp_path / "state.pt", breaking_off_at(report))
    torch.manual_seed(99)  # what happened meanwhile doesn't matter
    assert_same_bits(small_training.run(tmp_path / "state.pt"), undisturbed)


def test_a_run_that_broke_off_between_reports_ends_the_same(tmp_path, undisturbed):
    class BreaksOff:
        seed, __len__ = (1, 1), lambda self: 8

        def batch(self, rows, step, share):
            if step == 7:
                raise StopError
            return small_training.table().batch(rows, step, share)

    with pytest.raises(StopError):
        small_training.run(tmp_path / "state.pt", rows=BreaksOff())
    assert_same_bits(small_training.run(tmp_path / "state.pt"), undisturbed)


def test_a_run_whose_last_checkpoint_stands_takes_no_more_steps(tmp_path, undisturbed):
    small_training.run(tmp_path / "state.pt")

    def unasked(network):
        raise AssertionError("nothing is left to report")

    assert_same_bits(small_training.run(tmp_path / "state.pt", unasked), undisturbed)


@pytest.mark.parametrize("damage", ["cut short", "no text", "other network", "no state"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    path = tmp_path / "state.pt"
    small_training.run(path)
    if damage == "other network":
        state = torch.load(path, weights_only=True)
        state["network"].popitem()
        torch.save(state, path)
    elif damage == "no state":
        torch.save({"step": 3}, path)
    else:
        path.write_bytes(b"no text" if damage == "no text" else path.read_bytes()[:-200])
    with pytest.raises(StageError, match=r"state\.pt is missing or damaged .*remove what is there") as caught:
        small_training.run(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_run_that_was_killed_ends_the_same(tmp_path, undisturbed, capsys):
    script = Path(small_training.__file__)
    command = [sys.executable, script, tmp_path / "state.pt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "hanging\n" in iter(process.stdout.readline, "")
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert_same_bits(small_training.run(tmp_path / "state.pt"), undisturbed)
    assert f"going on from step 3, which {tmp_path / 'state.pt'} holds" in capsys.readouterr().out


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_bit(tmp_path, undisturbed, workers):
    assert_same_bits(small_training.run(tmp_path / "state.pt", workers=workers), undisturbed)


def test_crops_cut_on_the_device_give_the_same_bits_each_time(tmp_path, undisturbed):
    def trained(name):
        table = small_training.table()
        on_device = replace(table, images=DeviceImages(table.images, torch.device("cpu")))
        return small_training.run(tmp_path / name / "state.pt", rows=on_device)

    first = trained("first")
    assert_same_bits(trained("second"), first)
    # Some pixels are rounded otherwise than beside the network.
    np.testing.assert_allclose(first[1]["loss"], undisturbed[1]["loss"], rtol=0.02)


# Two parts


LAST = LastPart(5, np.array([1, 4, 6]))


@pytest.fixture(scope="module")
def in_two_parts(tmp_path_factory):
    return small_training.run(tmp_path_factory.mktemp("parts") / "state.pt", last=LAST)


def test_the_first_part_is_as_if_none_came_after(in_two_parts, undisturbed, tmp_path):
    assert in_two_parts[1]["loss"].iloc[0] == undisturbed[1]["loss"].iloc[0]
    assert in_two_parts[1]["loss"].iloc[2] != undisturbed[1]["loss"].iloc[2]
    never = LastPart(small_training.STEPS, LAST.rows)
    assert_same_bits(small_training.run(tmp_path / "state.pt", last=never), undisturbed)


@pytest.mark.parametrize("report", [1, 2, 3, 4])
def test_a_run_in_two_parts_that_broke_off_ends_the_same(tmp_path, in_two_parts, report):
    with pytest.raises(StopError):
        small_training.run(tmp_path / "state.pt", breaking_off_at(report), last=LAST)
    assert_same_bits(small_training.run(tmp_path / "state.pt", last=LAST), in_two_parts)


def test_the_learning_rate_begins_again_with_the_last_part(tmp_path, monkeypatch):
    rates = []

    def noted(model, optimizer, *others):
        rates.append(optimizer.param_groups[0]["lr"])
        return 0.0

    monkeypatch.setattr(training, "train_step", noted)
    small_training.run(tmp_path / "state.pt", optimizer=ADAMW, last=LastPart(4, LAST.rows))
    settings = AdamW.model_validate(ADAMW)
    assert rates == [
        learning_rate(settings, *at) for at in [*((i, 4) for i in range(4)), *((i, 6) for i in range(6))]
    ]
    assert rates[0] == rates[4] == settings.learning_rate


def test_dropout_depends_on_the_step(undisturbed, tmp_path):
    other = small_training.run(tmp_path / "state.pt", dropout=0.0)
    assert not torch.equal(other[0].regressor[1].weight, undisturbed[0].regressor[1].weight)
    assert len({mixed_seed((1, 1, 2, step)) for step in range(1000)}) == 1000


def test_speeds_are_noted_apart_from_the_result(tmp_path):
    small_training.run(tmp_path / "state.pt")
    lines = (tmp_path / "speed.csv").read_text().splitlines()
    assert lines[0] == "step,images_per_second"
    assert [int(line.split(",")[0]) for line in lines[1:]] == [3, 6, 9, 10]
    assert all(float(line.split(",")[1]) > 0 for line in lines[1:])


# What goes wrong


def test_a_target_that_is_nan_stops_with_the_batch_named(tmp_path):
    class Spoilt:
        seed, __len__ = (1, 1), lambda self: 8

        def batch(self, rows, step, share):
            crops, targets, weights = small_training.table().batch(rows, step, share)
            if step == 4:
                targets[2, 3] = np.nan
            return Batch(crops, targets, weights)

    with pytest.raises(NotFiniteError, match=r"the loss of batch 4 \(6 crops\) is nan: a smaller learn"):
        small_training.run(tmp_path / "state.pt", rows=Spoilt())


def test_a_huge_learning_rate_stops_with_the_batch_named(tmp_path):
    optimizer = small_training.OPTIMIZER | {"learning_rate": 1e30}
    with pytest.raises(NotFiniteError, match=r"the loss of batch 1 \(6 crops\) is (nan|inf)"):
        small_training.run(tmp_path / "state.pt", optimizer=optimizer)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_an_accelerator_that_is_not_there_is_named():
    with pytest.raises(DeviceError, match="accelerator is cuda, but torch sees no CUDA device"):
        start_fabric(Device(accelerator="cuda", devices=1, precision="32-true", crops="host"), threads=1)


# What a checkpoint belongs to


def test_the_fingerprint_follows_from_params_and_files(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    values = {"sigma": 2.0, "training": {"batch": 32}}
    name = fingerprint(values, files)
    assert name == fingerprint({"training": {"batch": 32}, "sigma": 2.0}, files)
    assert name != fingerprint(values | {"sigma": 1.7}, files)
    assert name != fingerprint(values, files[:1])
    files[1].write_text("changed")
    assert name != fingerprint(values, files)


def test_the_fingerprint_follows_from_the_modules_in_use(tmp_path, monkeypatch):
    class Module:
        __file__ = str(tmp_path / "module.py")

    monkeypatch.setitem(sys.modules, "deeppose.of_a_test", Module)
    names = set()
    for text in ("loss = 1", "loss = 2"):
        (tmp_path / "module.py").write_text(text)
        names.add(fingerprint({}, []))
    assert len(names) == 2


# AdamW


ADAMW = {"name": "adamw", "learning_rate": 0.01, "weight_decay": 0.1}


def test_the_learning_rate_falls_along_half_a_cosine():
    settings = AdamW.model_validate(ADAMW)
    rates = [learning_rate(settings, step, 8) for step in (0, 4, 8)]
    assert rates == pytest.approx([0.01, 0.005, 0.0])
    constant = Adagrad.model_validate(small_training.OPTIMIZER)
    assert {learning_rate(constant, step, 8) for step in range(8)} == {0.002}


def test_a_spatial_network_trained_by_adamw_goes_on_where_it_was(tmp_path):
    def spatial():
        torch.manual_seed(3)
        return SpatialNet(dots.JOINTS, size=64, channels=4, initial_weights="random", mean=(9, 9, 9))

    def run(folder, steps_of_crash=None):
        net = spatial()
        reports = []

        def held_out(trained):
            reports.append(trained)
            if steps_of_crash is not None and len(reports) > steps_of_crash:
                raise KeyboardInterrupt
            return small_training.sum_of_weights(trained)

        train(
            net,
            replace(small_training.table(), size=64),
            Training.model_validate(small_training.TRAINING | {"optimizer": ADAMW}),
            start_fabric(small_training.DEVICE, threads=1),
            held_out,
            steps=10,
            checkpoint=folder / "state.pt",
            speed_log=folder / "speed.csv",
            workers=0,
            name="a test",
        )
        return net.state_dict()

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = run(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", steps_of_crash=2)
    resumed = run(tmp_path / "b")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_network_is_on_its_device_before_the_optimizer_is_made(tmp_path, monkeypatch):
    moved = []
    network = small_training.network()
    monkeypatch.setattr(network, "to", lambda device: moved.append(device))
    build = training.build_optimizer

    def spy(*arguments, **options):
        assert moved, "Adagrad makes its sums where the weights are"
        return build(*arguments, **options)

    monkeypatch.setattr(training, "build_optimizer", spy)
    monkeypatch.setattr(small_training, "network", lambda dropout: network)
    small_training.run(tmp_path / "state.pt", steps=1)


def test_adagrad_takes_single_steps_on_a_gpu_where_torch_has_no_fused_one(monkeypatch):
    network = small_training.network()
    adagrad = Adagrad(name="adagrad", learning_rate=0.1, initial_accumulator=0.0, epsilon=1e-10)
    assert training.build_optimizer(network, adagrad).defaults["fused"]
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda _: True))
    assert not training.build_optimizer(network, adagrad).defaults["fused"]


@pytest.mark.parametrize("precision", ["32-true", "tf32", "bf16-mixed"])
def test_a_network_is_trained_in_the_precision_of_the_params(tmp_path, monkeypatch, precision):
    device = Device(accelerator="cpu", devices=1, precision=precision, crops="host")
    monkeypatch.setattr(small_training, "DEVICE", device)
    narrowed = []

    def spy(*arguments):
        narrowed.append(torch.is_autocast_enabled("cpu"))
        return squared_distances(*arguments)

    monkeypatch.setattr("deeppose.networks.alexnet.squared_distances", spy)
    small_training.run(tmp_path / "state.pt", steps=2)
    assert narrowed == [precision == "bf16-mixed"] * 2
    # That of a GPU: left alone, a CPU's products stay whole.
    assert not torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_precision_of_a_gpus_products_follows_from_the_params(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for precision, products in (("tf32", "high"), ("32-true", "highest")):
        set_up_device(Device(accelerator="cuda", devices=1, precision=precision, crops="host"), threads=1)
        assert torch.get_float32_matmul_precision() == products
        assert torch.backends.cudnn.allow_tf32 == (precision == "tf32")
