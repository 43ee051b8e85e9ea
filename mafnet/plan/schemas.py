"""JSON schemas of metrics.json of a run and of a data set. METRICS defines the metrics."""

from mafnet.model.calibration import LIMITS
from mafnet.model.metrics import METRICS, Metric, always
from mafnet.plan.schema_parts import (
    about,
    by_modality,
    by_name,
    closed,
    count,
    document,
    or_null,
    pair,
    percent_or_null,
    reference,
)

PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TEXT = {"type": "string"}
UNITS = "Shares are in percent, 0 to 100; other units are given with the metric."


def run_schema() -> dict:
    """Schema of a run's metrics.json."""
    text = (
        "results/{dataset}/{split}/{variant}/seed{seed}/metrics.json: one trained network on the "
        f"test subset of one split. {UNITS}"
    )
    properties = {
        "split": TEXT | about("Name of the official fold."),
        "variant": TEXT | about("Name of the variant in the config."),
        "seed": count("Seed of the run."),
        "random_weights": {
            "description": "The modalities whose backbones had random weights: such numbers "
            "say nothing about real networks.",
            "type": "array",
            "items": {"enum": ["visual", "audio"]},
            "uniqueItems": True,
        },
        "settings": reference(
            "sha256", "SHA-256 of the content of settings.json: everything that the run depends on."
        ),
        "precision": {
            "description": "Arithmetic of training and evaluation.",
            "enum": ["float32", "bfloat16"],
        },
        "trained_on": or_null(TEXT)
        | about("Device and card of the training; null for a run of an earlier version."),
        "evaluated_on": TEXT | about("Device and card of the evaluation."),
        "val_accuracy": reference(
            "percent", "Accuracy on the validation subset, in percent. Choose variants by this one."
        ),
        "val_samples": count("Validation samples with a usable video.", 1),
        "temperature": {
            "description": "Temperature of the calibration, chosen on the validation subset: "
            "`mafnet predict` divides the logits by it. 1 changes nothing.",
            "type": "number",
            "minimum": LIMITS[0],
            "maximum": LIMITS[1],
        },
        "temperature_note": TEXT
        | about("Why the temperature is 1 without a fit; empty if it was fitted."),
        **{name: value_of(metric) | about(described(metric)) for name, metric in METRICS.items()},
        "top_k": count("K of `top5`, from the config.", 1),
        "clip_accuracy": reference(
            "percent", "Share of the single clips of test videos that are right; video networks."
        ),
        "pretrained": {
            "enum": ["kinetics400", "random"],
            "description": "Weights of a video network before the fine-tuning.",
        },
        "samples": count("Test samples with a usable video.", 1),
        "in_train": count(
            "Test samples whose video or group is also in train, as the rows declare."
        ),
        "per_class": by_name("By class, in the order of the network's outputs.", "class"),
    }
    share = (
        "Share of the class's samples that are classified correctly; null if it has no test or no "
        "training sample."
    )
    definitions = {
        "percent": PERCENT,
        "sha256": SHA256,
        "class": closed(
            accuracy=percent_or_null(share), samples=count("Test samples of the class.")
        ),
    }
    body = closed(optional=("clip_accuracy", "pretrained"), **properties)
    return document("Metrics of a run", text, body, definitions)


def dataset_schema() -> dict:
    """Schema of a data set's metrics.json."""
    text = f"results/{{dataset}}/metrics.json: the main variant over all splits and seeds. {UNITS}"
    properties = {
        "dataset": TEXT | about("Name of the data set in the config."),
        "variant": TEXT | about("Name of the main variant (`model.main`)."),
        "val_accuracy": reference(
            "percent", "Accuracy on the validation subset, mean over splits and seeds."
        ),
        **{name: summary(metric) for name, metric in METRICS.items()},
        "per_class": by_name("By class, in the order of the network's outputs.", "class"),
        "runs": {
            "description": "One entry for each split and seed.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/run"},
        },
        "media": reference(
            "media", "Numbers of videos by outcome; results/{dataset}/media.tsv has every video."
        ),
        "paper": percent_or_null(
            "The paper's accuracy for this data set and variant; null if it has none."
        ),
        "protocol": reference("protocol", "The evaluation protocol."),
        "notes": {
            "description": "Notes that a reader of the numbers needs, one sentence each, the most "
            "important first.",
            "type": "array",
            "items": TEXT,
        },
        "provenance": reference("provenance", "Versions, weights and settings behind the numbers."),
    }
    body = closed(optional=("protocol", "notes"), **properties)
    return document("Metrics of a data set", text, body, dataset_definitions())


def dataset_definitions() -> dict:
    """The definitions in the schema of a data set's metrics."""
    share = (
        "Share of the class's samples that are classified correctly, mean over runs; null if it "
        "has no test or no training sample."
    )
    return {
        "percent": PERCENT,
        "sha256": SHA256,
        "class": closed(
            accuracy=percent_or_null(share),
            ci95={
                "description": "The 95 % interval [low, high] of the accuracy (Wilson, over seeds "
                "and test samples); null if the class has no sample.",
                **or_null(pair(PERCENT)),
            },
            samples=count("Different test samples of the class in all splits."),
        ),
        "run": closed(
            split=TEXT | about("Name of the official fold."),
            seed=count("Seed of the run."),
            **{
                name: value_of(metric) | about("As above, for this run.")
                for name, metric in METRICS.items()
            },
            samples=count("Test samples with a usable video.", 1),
        ),
        "media": closed(
            ok=count("Videos used without warnings."),
            warned=count("Videos used with warnings."),
            failed=count("Videos that could not be used."),
            dropped=count("Videos without audio that were left out, as the config requests."),
            reasons={
                "description": "Number of videos by failure and warning (docs/media.md).",
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 1},
            },
        ),
        "protocol": closed(
            name=TEXT | about("Name of the protocol; `own` for a user's manifest."),
            source={
                "description": "The published data set; null for a user's own.",
                "type": ["string", "null"],
            },
            as_paper={
                "description": "Whether the paper uses this protocol and these backbones, weights, "
                "clips and videos without audio; null if the paper does not say it, or if the data "
                "set is not in the paper.",
                "type": ["boolean", "null"],
            },
            differences={
                "description": "What differs from the paper's settings, one sentence each.",
                "type": "array",
                "items": TEXT,
            },
            note=TEXT | about("What is special about this protocol: a sentence, or empty."),
            splits={
                "description": "By split: the description of its manifest "
                "(data/{dataset}/{split}.json).",
                "type": "object",
                "additionalProperties": {"type": "object", "additionalProperties": True},
            },
        ),
        "provenance": closed(
            versions={
                "description": "Versions of mafnet, ffmpeg and the packages that the numbers "
                "depend on; null if one is not installed.",
                "type": "object",
                "additionalProperties": {"type": ["string", "null"]},
            },
            weights=by_modality("The weights of the backbone of each modality.", "weights"),
            precision={
                "description": "Arithmetic of the runs.",
                "type": "array",
                "items": {"enum": ["float32", "bfloat16"]},
            },
            trained_on={
                "description": "Devices and cards of the trainings; `unknown` for runs of earlier "
                "versions.",
                "type": "array",
                "items": TEXT,
            },
            fingerprints=by_modality(
                "SHA-256 of everything except the videos that each modality's features depend on.",
                "sha256",
            ),
            config=reference("sha256", "SHA-256 of all settings of the data set."),
            command=TEXT | about("The command that computed these numbers."),
        ),
        "weights": closed(
            backbone=TEXT | about("Name of the network."),
            weights=TEXT | about("Name in resources/weights.tsv, or `random`."),
            sha256=reference("sha256", "SHA-256 of the weights file that was used."),
            random={
                "description": "True if the weights are random: the numbers then say nothing about "
                "real networks.",
                "type": "boolean",
            },
            precision={
                "description": "Precision of the backbone.",
                "enum": ["float32", "bfloat16", "float16"],
            },
        ),
    }


def value_of(metric: Metric) -> dict:
    """Schema of a run's value, which may be null if the metric does not always apply."""
    return metric.number if metric.applies is always else or_null(metric.number)


def summary(metric: Metric) -> dict:
    """Schema of a metric's entry in a data set's metrics."""
    entry = _entry(metric)
    return about(described(metric)) | (entry if metric.applies is always else or_null(entry))


def _entry(metric: Metric) -> dict:
    spread = {"type": "number", "minimum": 0}
    return closed(
        mean=metric.number | about("Mean over splits and seeds."),
        std={
            "description": "Standard deviation over seeds of the mean over splits; null with one "
            "seed.",
            "oneOf": [spread, {"type": "null"}],
        },
        ci95={
            "description": "The 95 % interval [low, high], for other test samples and other seeds; "
            "with one seed only for other test samples.",
            **pair(metric.number),
        },
        ci_method={"description": "How the interval was computed.", "const": metric.interval.value},
    )


def described(metric: Metric) -> str:
    """A metric's description with its unit and direction."""
    better = "Higher" if metric.higher_is_better else "Lower"
    return f"{metric.description} {better} is better. Unit: {metric.unit.symbol}."
