from pathlib import Path

import pytest
import yaml
from project import write_params
from pydantic import ValidationError

from deeppose.core.errors import ParamsError
from deeppose.core.params import CASCADE_STAGES_IN_DVC_YAML
from deeppose.core.params_file import key_name, key_path, load_params, read_values
from deeppose.core.paths import Item
from deeppose.core.skeleton import SKELETONS
from deeppose.networks.alexnet import AlexNet

OURS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def changed(tmp_path):
    """Load params.yaml with changes, by key path; None drops the key."""

    def load(changes):
        values = read_values(OURS)
        for path, value in changes.items():
            *sections, key = key_path(path)
            section = values
            for name in sections:
                section = section[name]
            if value is None:
                del section[key]
            else:
                section[key] = value
        write_params(tmp_path, values)
        return load_params(tmp_path / "params.yaml")

    return load


@pytest.fixture
def complaint(changed):
    """What load_params says about changes."""

    def say(changes):
        with pytest.raises(ParamsError) as caught:
            changed(changes)
        first, *lines = str(caught.value).splitlines()
        assert first.endswith("params.yaml or a profile beside it holds what is not allowed:")
        return "\n".join(line.removeprefix("  ") for line in lines)

    return say


class TestOurs:
    def test_loads(self):
        params = load_params(OURS)
        assert {"demo", "cpu", "paper"} <= set(params.profiles)
        assert params.profile in params.profiles

    def test_paper_profile_is_to_the_letter(self):
        paper = load_params(OURS).profiles["paper"]
        assert (paper.network.name, paper.network.input, paper.network.width) == ("alexnet", 220, 1)
        assert (paper.stage1.scale, paper.stage1.rotated, paper.average_mirrored) == (0, 0, False)
        assert (paper.trusted, paper.tight_boxes) == (None, ())
        assert (paper.stage2.scale, paper.stage2.rotation, paper.stage3.scale, paper.stage3.rotation) == (
            0,
        ) * 4
        assert not any(paper.stage(stage).repeated for stage in (1, 2, 3))
        assert (paper.stage2.others, paper.stage3.others, paper.narrowest_normal) == (0, 0, 0)
        assert (paper.training.batch, paper.network.dropout) == (128, 0.6)
        assert (paper.training.optimizer.name, paper.training.optimizer.learning_rate) == ("adagrad", 0.0005)
        assert (paper.boxes_per_joint, paper.displacement_units) == (40, "pixels")

    def test_lsp_is_the_papers(self):
        params = load_params(OURS)
        assert (params.model["lsp"].sigma, params.model["lsp"].held_out, params.cascade_stages) == (
            2.0,
            50,
            3,
        )

    def test_cannot_be_changed(self):
        params = load_params(OURS)
        with pytest.raises(ValidationError, match="frozen"):
            params.seed = 3

    def test_dvc_yaml_has_the_stages(self):
        stages = yaml.safe_load((OURS.parent / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        trained = [name for name in stages if name.startswith("train-stage")]
        assert len(trained) == CASCADE_STAGES_IN_DVC_YAML


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("path", "beside"),
        [
            ("sead", "profile, models, sigma, cascade_stages, seed, "),
            ("model.lsp.sigmas", "skeleton, train, test, labels, "),
            ("profiles/cpu.yaml:trainings", "archives, trusted, embedded, device, network, "),
            ("profiles/cpu.yaml:training.bach", "batch, optimizer, loss, "),
            ("profiles/paper.yaml:training.optimizer.lr", "name, learning_rate, "),
            ("profiles/demo.yaml:embedded.tall", "lsp_images, extended_images, "),
        ],
    )
    def test_key_value_and_what_is_allowed(self, complaint, path, beside):
        said = complaint({path: 7})
        assert said.startswith(f"{path} = 7: unknown key, allowed here: {beside}")
        assert "\n" not in said

    def test_all_are_named_at_once(self, complaint):
        said = complaint({"sead": 1, "profiles/cpu.yaml:training.bach": 2, "seed": -1})
        assert [line.split(" = ")[0] for line in said.splitlines()] == [
            "seed",
            "profiles/cpu.yaml:training.bach",
            "sead",
        ]


class TestValues:
    @pytest.mark.parametrize(
        ("path", "value", "said"),
        [
            ("seed", "3", "should be a valid integer"),
            ("seed", 3.0, "should be a valid integer"),
            ("seed", True, "should be a valid integer"),
            ("seed", -1, "should be greater than or equal to 0"),
            ("threads", 0, "should be greater than 0"),
            ("mirror", 3, "should be a valid string"),
            ("cascade_stages", 4, "should be less than or equal to 3"),
            ("cascade_stages", 0, "should be greater than or equal to 1"),
            ("sigma", -0.5, "should be greater than 0 or should be 'auto'"),
            ("sigma", 0, "should be greater than 0 or should be 'auto'"),
            ("sigma", "atuo", "should be a valid number or should be 'auto'"),
            ("sigma", True, "should be a valid number or should be 'auto'"),
            ("sigma", float("inf"), "should be a finite number or should be 'auto'"),
            ("sigma", float("nan"), "should be a finite number or should be 'auto'"),
            ("models", [], "should have an item at least"),
            ("model.lsp.train", [], "should have an item at least"),
            ("model.lsp.test", "lsp", "should be a list, as in [a, b]"),
            ("models", "lsp", "should be a list, as in [a, b]"),
            ("model.lsp.labels", "po", "should be 'oc' or 'pc'"),
            ("model.lsp.sigma", -2.0, "should be greater than 0"),
            ("profiles/cpu.yaml:archives", "web", "should be 'embedded' or 'mirror'"),
            ("profiles/cpu.yaml:device.accelerator", "tpu", "should be 'cpu', 'cuda' or 'auto'"),
            ("profiles/paper.yaml:network.input", 58, "should be greater than or equal to 59"),
            ("profiles/cpu.yaml:real_predictions", "yes", "should be a valid boolean"),
            ("profiles/cpu.yaml:real_predictions", 1, "should be a valid boolean"),
            ("profiles/paper.yaml:network.dropout", 1.0, "should be less than 1"),
            ("profiles/cpu.yaml:training.trusted_from", 0.5, "should be a list, as in [a, b]"),
            ("profiles/cpu.yaml:training.optimizer.learning_rate", float("inf"), "should be a finite number"),
            (
                "profiles/paper.yaml:training.optimizer.epsilon",
                "1e-10",
                "should be a number, without quotes; YAML takes 1e-3 for text, write 1.0e-3",
            ),
            ("profiles/cpu.yaml:network.name", "resnet", "should be one of 'alexnet', 'spatial'"),
            ("profiles/cpu.yaml:training.optimizer.name", "sgd", "should be one of 'adagrad', 'adamw'"),
            ("profiles/cpu.yaml:stage1", 500, "should be a section, keys and values"),
            ("profiles/demo.yaml:embedded.lsp_images", 1401, "should be a multiple of 2"),
        ],
    )
    def test_key_value_and_what_is_allowed(self, complaint, path, value, said):
        assert complaint({path: value}) == f"{path} = {value!r}: {said}"

    def test_every_process_gets_an_equal_share_of_a_batch(self, complaint):
        said = "profiles/cpu.yaml: training.batch 32 can't be shared out evenly among device.devices 3"
        assert complaint({"profiles/cpu.yaml:device.devices": 3}).startswith(said)

    def test_alexnets_weights_fit_one_input(self, changed, complaint):
        said = (
            "profiles/demo.yaml: stage3 of an alexnet that starts from the stage before takes its input 92, "
            "not 64"
        )
        assert complaint({"profiles/demo.yaml:stage3.input": 64}).startswith(said)
        start = {"profiles/demo.yaml:stage3.start": "fresh"}
        assert (
            changed({"profiles/demo.yaml:stage3.input": 64} | start).profiles["demo"].input_of(3, "lsp") == 64
        )
        both = {"profiles/cpu.yaml:stage2.input": 64, "profiles/cpu.yaml:stage3.input": 64}
        assert changed(both).profiles["cpu"].input_of(1, "lsp") == 128

    def test_workers(self, changed, complaint):
        assert changed({"workers": 3}).workers == 3
        assert complaint({"workers": "some"}).startswith("workers = 'some': should be a valid integer")

    def test_list_items(self, complaint):
        assert complaint({"models": ["lsp", 3]}) == "models.1 = 3: should be a valid string"
        assert complaint({"models": [3]}) == "models.0 = 3: should be a valid string"

    def test_whole_numbers_are_numbers(self, changed):
        assert changed({"sigma": 2}).sigma == 2

    @pytest.mark.parametrize(
        "path",
        [
            "seed",
            "model",
            "profiles/cpu.yaml:training",
            "profiles/cpu.yaml:network.name",
            "profiles/paper.yaml:stage3.steps",
        ],
    )
    def test_missing(self, complaint, path):
        assert complaint({path: None}) == f"{path}: missing"

    def test_smallest_input_that_the_network_takes(self, changed):
        params = changed({"profiles/paper.yaml:network.input": 59})
        AlexNet(
            2,
            size=params.profiles["paper"].network.input,
            width=0.02,
            dropout=0,
            initial_weights="he",
            pixel_scale=1,
            mean=(0, 0, 0),
        )


class TestSets:
    def test_a_set_that_trains_nothing(self, complaint):
        said = "profiles/demo.yaml:stage2.repeated names 'parse', which no model is trained on, only flic"
        assert said in complaint({"profiles/demo.yaml:stage2.repeated": {"parse": 2}})
        assert "trusted names 'lspet'" in complaint({"profiles/demo.yaml:trusted": ["lspet"]})

    def test_inputs_by_model(self, changed, complaint):
        params = changed({"profiles/cpu.yaml:network.inputs": {"flic": 160}, "profile": "cpu"})
        cpu = params.profiles["cpu"]
        assert [cpu.input_of(stage, model) for stage in (1, 2) for model in ("lsp", "flic")] == [
            128,
            160,
            96,
            96,
        ]
        assert (cpu.network.words("lsp")[-6:], cpu.network.words("flic")[-6:]) == ("128 px", "160 px")
        wrong = {"profiles/cpu.yaml:network.inputs": {"flci": 160}, "profile": "cpu"}
        assert "network.inputs names 'flci', which is none of lsp, flic" in complaint(wrong)

    def test_recrops_by_model(self, changed, complaint):
        key = "profiles/demo.yaml:recrops"
        assert changed({key: {"lsp": 2}}).profiles["demo"].recrops == {"lsp": 2}
        assert f"{key} names 'lps', which is none of lsp, flic" in complaint({key: {"lps": 2}})
        assert f"{key} names 'flic', whose initial_box is face" in complaint({key: {"flic": 1}})
        assert "recrops" in complaint({key: {"lsp": 9}})

    def test_shrinkage_by_model(self, changed, complaint):
        key = "profiles/demo.yaml:stage3.shrinkage"
        assert changed({key: {"lsp": 0.5}}).profiles["demo"].stage3.shrinkage == {"lsp": 0.5}
        assert f"{key} names 'lps', which is none of lsp, flic" in complaint({key: {"lps": 0.5}})
        assert "shrinkage" in complaint({key: {"lsp": 0.0}})

    def test_a_model_none_of_whose_sets_is_trusted(self, complaint):
        said = "trusted names no set that the model flic is trained on"
        assert said in complaint({"profiles/demo.yaml:trusted": ["lsp"]})

    @pytest.mark.parametrize(
        ("shares", "said"),
        [
            ([1.5, 1, 1], "trusted_from.0 = 1.5: should be less than or equal to 1"),
            ([1, "half", 1], "trusted_from.1 = 'half': should be a valid number"),
            ([0.5, 1], "trusted_from.2: missing"),
        ],
    )
    def test_shares_by_stage(self, complaint, shares, said):
        assert said in complaint({"profiles/cpu.yaml:training.trusted_from": shares})

    def test_trusted_sets_that_train_alone_are_named(self, complaint):
        said = "training.trusted_from below 1 needs sets to train on: name them in trusted"
        assert said in complaint({"profiles/paper.yaml:training.trusted_from": [1.0, 0.5, 1.0]})

    def test_real_predictions_are_of_all_images(self, complaint):
        changes = {"profiles/demo.yaml:trusted": ["lsp", "flic"], "profiles/demo.yaml:real_predictions": True}
        assert "real_predictions: true needs predictions of all training images" in complaint(changes)

    def test_an_image_is_shown_once_at_least(self, complaint):
        assert "greater than 0" in complaint({"profiles/demo.yaml:stage1.repeated": {"lsp": 0}})


class TestNames:
    def test_profile(self, complaint):
        assert complaint({"profile": "gpu"}).endswith("profile 'gpu' is none of cpu, demo, paper")

    def test_models(self, complaint):
        assert complaint({"models": ["lsp", "leeds"]}).endswith(
            "models names 'leeds', which is none of lsp, flic"
        )

    def test_a_model_named_twice(self, complaint):
        assert complaint({"models": ["lsp", "lsp"]}).endswith("models names one twice: lsp, lsp")

    def test_skeleton(self, complaint):
        expected = "model.lsp.skeleton 'half' is none of full-body, flic-labelled, upper-body, buffy-sticks"
        assert complaint({"model.lsp.skeleton": "half"}).endswith(expected)

    def test_a_skeleton_of_ones_own(self, changed):
        entry = {"joints": ["nose", "tail"], "diameter": [["nose", "tail"]]}
        params = changed({"model.lsp.skeleton": "horse", "profiles/cpu.yaml:skeletons": {"horse": entry}})
        assert Item(params, "cpu", "lsp").skeleton.joints == ("nose", "tail")
        assert Item(params, "cpu", "flic").skeleton is SKELETONS["upper-body"]
        with pytest.raises(ParamsError, match=r"profiles/demo.yaml has no skeleton 'horse', which model lsp"):
            _ = Item(params, "demo", "lsp").skeleton

    def test_a_skeleton_that_does_not_fit_together(self, complaint):
        entry = {"joints": ["left ear", "tail"], "diameter": [["left ear", "tail"]]}
        said = complaint({"profiles/cpu.yaml:skeletons": {"horse": entry}})
        assert "profiles/cpu.yaml: skeleton 'horse' has the joint 'left ear': its counterpart" in said

    def test_a_skeleton_that_is_ours(self, complaint):
        said = complaint({"profiles/cpu.yaml:skeletons": {"full-body": {}}})
        assert "skeletons has 'full-body', which is one of the project's" in said

    def test_the_skeleton_of_a_data_set(self, complaint):
        horses = {"format": "coco", "annotations": "a.json", "images": "i", "skeleton": "horse"}
        said = complaint({"profiles/cpu.yaml:datasets": {"horses": horses}})
        assert "datasets.horses.skeleton 'horse' is none of full-body" in said

    def test_the_name_of_a_data_set_is_one_of_files(self, complaint):
        horses = {"format": "coco", "annotations": "a.json", "images": "i", "skeleton": "full-body"}
        assert "String should match" in complaint({"profiles/cpu.yaml:datasets": {"../horses": horses}})

    def test_a_model_that_a_profile_does_not_train(self, changed):
        params = changed({"profiles/demo.yaml:stage2.steps": {"lsp": 5}})
        params.check_trained("cpu")
        said = "profile demo doesn't train the model flic: .*or say `models: .lsp.` or `profile: cpu`"
        with pytest.raises(ParamsError, match=said):
            params.check_trained("demo")

    def test_boxes_that_are_turned_are_cut_on_the_host(self, complaint):
        said = complaint({"profile": "cpu", "profiles/cpu.yaml:device.crops": "device"})
        assert "profiles/cpu.yaml:device.crops: device cuts no box that is turned" in said
        assert said.endswith("or stage1.rotated to 0")
        turned = {"profiles/paper.yaml:stage3.rotation": 5.0, "profiles/paper.yaml:device.crops": "device"}
        assert complaint({"profile": "paper"} | turned).endswith("or stage3.rotation to 0")

    def test_faces_need_a_way_to_choose(self, complaint):
        said = complaint({"model.lsp.initial_box": "face"})
        assert said == "model.lsp: initial_box: face needs `face`, torso or confidence"

    def test_embedded_archives_need_their_section(self, complaint):
        said = complaint({"profiles/demo.yaml:embedded": None})
        assert said == "profiles/demo.yaml: archives: embedded needs a section `embedded`"


class TestSigma:
    def test_auto_is_the_models_own(self, changed):
        assert changed({"sigma": "auto", "model.lsp.sigma": 1.7}).sigma_of("lsp", "demo") == 1.7

    def test_a_number_is_for_every_model(self, changed):
        params = changed({"sigma": 2.3, "model.lsp.sigma": 1.7, "profiles/demo.yaml:sigma": {"lsp": 1.1}})
        assert params.sigma_of("lsp", "demo") == 2.3

    def test_a_profile_can_have_its_own(self, changed, complaint):
        key = "profiles/demo.yaml:sigma"
        of = changed({key: {"lsp": 1.1}}).sigma_of
        assert (of("lsp", "demo"), of("flic", "demo"), of("lsp", "paper")) == (1.1, 1.0, 2.0)
        assert f"{key} names 'lps', which is none of lsp, flic" in complaint({key: {"lps": 1.1}})


class TestFile:
    def test_missing(self, tmp_path):
        with pytest.raises(ParamsError, match=r"params\.yaml can't be read \(No such file.*project's folder"):
            load_params(tmp_path / "params.yaml")

    @pytest.mark.parametrize("content", [b"a: [", b"a: b: c", b"\xff\xfe: 1", b"\ta: 1"])
    def test_no_yaml(self, tmp_path, content):
        (tmp_path / "params.yaml").write_bytes(content)
        with pytest.raises(ParamsError, match=r"params\.yaml is not valid YAML"):
            load_params(tmp_path / "params.yaml")

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("seed: !!int x", r"'x' is no int .*line 1"),
            ("a: 1\nseed: 2020-99-01", r"'2020-99-01' is no timestamp .*line 2"),
            (f"seed: {'9' * 5000}", r"'9{40}' is no int"),
            (f"seed: 0x{'f' * 5000}", "whole number of more than 18 digits, 0xf{18}…"),
            ("seed: !!float x", "'x' is no float"),
            ("seed: !!bool x", "'x' is no bool"),
            ("seed: !!timestamp x", "'x' is no timestamp"),
            ("[" * 2000, "nested too deep"),
            ("a: &a [*a]", "more than 10000 values"),
            ("seed: 1\nseed: 2", "key 'seed' twice .*line 1"),
            ("model: {lsp: {sigma: 1, sigma: 2}}", "key 'sigma' twice"),
            ("{? [a] : 1}", "unhashable"),
            ("a: \0", "not valid YAML"),
        ],
    )
    @pytest.mark.parametrize("file", ["params.yaml", "profiles/cpu.yaml"])
    def test_what_yaml_cant_build(self, tmp_path, file, content, told):
        write_params(tmp_path, read_values(OURS))
        (tmp_path / file).write_text(content)
        with pytest.raises(ParamsError, match=rf"{file} .*{told}") as caught:
            load_params(tmp_path / "params.yaml")
        assert "\n" not in str(caught.value)

    def test_aliases_that_multiply_are_refused_at_once(self, tmp_path):
        lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
        (tmp_path / "params.yaml").write_text("\n".join(lines))
        with pytest.raises(ParamsError, match=r"params\.yaml has more than 10000 values"):
            load_params(tmp_path / "params.yaml")

    def test_an_alias_is_taken(self, tmp_path):
        write_params(tmp_path, read_values(OURS))
        file = tmp_path / "profiles" / "demo.yaml"
        before, found, _ = file.read_text().partition("stage3:")
        merged = before.replace("stage2:", "stage2: &stage2")
        file.write_text(f"{merged}{found} {{<<: *stage2, others: 0.5}}\n")
        demo = load_params(tmp_path / "params.yaml").profiles["demo"]
        assert (demo.stage3.others, demo.stage3.steps) == (0.5, demo.stage2.steps)

    def test_a_long_value_is_shown_in_part(self, complaint):
        assert complaint({"seed": ["lsp"] * 999}).endswith("…: should be a valid integer")
        assert len(complaint({"seed": ["lsp"] * 999})) < 300

    @pytest.mark.parametrize(("content", "value"), [("", "None"), ("- seed", "['seed']"), ("3", "3")])
    def test_no_section(self, tmp_path, content, value):
        (tmp_path / "params.yaml").write_text(content)
        with pytest.raises(ParamsError) as caught:
            load_params(tmp_path / "params.yaml")
        assert f"(the whole file) = {value}: should be a section, keys and values" in str(caught.value)

    @pytest.mark.parametrize("content", ["", "- seed", "3"])
    def test_a_profile_that_is_no_section(self, tmp_path, content):
        write_params(tmp_path, read_values(OURS))
        (tmp_path / "profiles" / "cpu.yaml").write_text(content)
        with pytest.raises(ParamsError, match=r"profiles/cpu\.yaml = .*: should be a section"):
            load_params(tmp_path / "params.yaml")

    def test_profiles_have_files_of_their_own(self, tmp_path):
        write_params(tmp_path, read_values(OURS))
        (tmp_path / "params.yaml").write_text("profiles: {}")
        with pytest.raises(ParamsError, match=r"has `profiles`: each has a file of its own, profiles/NAME"):
            load_params(tmp_path / "params.yaml")

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            (["seed"], "seed"),
            (["model", "lsp"], "model.lsp"),
            (["profiles"], "profiles"),
            (["profiles", "cpu", "stage1", "scale"], "profiles/cpu.yaml:stage1.scale"),
        ],
    )
    def test_names_of_keys(self, path, name):
        assert key_name(path) == name
        assert key_path(name) == path

    def test_no_objects_are_made(self, tmp_path):
        (tmp_path / "params.yaml").write_text("seed: !!python/object/apply:os.getcwd []")
        with pytest.raises(ParamsError, match="not valid YAML"):
            load_params(tmp_path / "params.yaml")
