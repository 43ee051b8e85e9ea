"""Results, weights and the manifest in S3, with a real server of moto on this machine."""

import json
import shutil
import subprocess

import pytest
from support.tiny_run import ENVIRONMENT, METRICS, REPOSITORY, Workflow, planned_jobs

boto3 = pytest.importorskip("boto3", reason="the extra `clusters` is not installed")
pytest.importorskip("snakemake_storage_plugin_s3", reason="the extra `clusters` is not installed")
server = pytest.importorskip("moto.server", reason="the extra `clusters` is not installed")

pytestmark = [pytest.mark.workflow, pytest.mark.s3]

BUCKET = "mafnet"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def endpoint():
    """The address of a running S3 server."""
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(scope="module")
def bucket(endpoint):
    """An empty bucket."""
    store = boto3.resource(
        "s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test",
        region_name="us-east-1",
    )  # fmt: skip
    return store.create_bucket(Bucket=BUCKET)


def names(bucket):
    """The names of all objects."""
    return {item.key for item in bucket.objects.all()}


def test_a_run_with_results_in_s3_has_the_numbers_of_a_local_run(
    finished_run, tmp_path, endpoint, bucket
):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("videos", "cache"):
        shutil.copytree(finished_run.folder / name, folder / name)
    shutil.copy(REPOSITORY / "tests/tiny.yaml", folder)
    shutil.copy(finished_run.folder / "manifest.csv", folder)
    bucket.upload_file(str(folder / "manifest.csv"), "project/manifest.csv")
    workflow = Workflow(finished_run.checkout, folder)
    options = ("--default-storage-provider", "s3", "--default-storage-prefix",
               f"s3://{BUCKET}/project", "--storage-s3-endpoint-url", endpoint)  # fmt: skip

    def snakemake(*arguments):
        done = subprocess.run(
            workflow.command(METRICS, *options, *arguments), env=ENVIRONMENT | KEYS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    snakemake()
    stored = names(bucket)
    assert {f"project/results/tiny/{name}" for name in (
        "metrics.json", "media.tsv", "media/0000.tsv", "weights/visual.safetensors",
        "features/visual.h5", "features/audio/0000.tsv", "main/mafnet/seed1/model.safetensors",
    )} <= stored  # fmt: skip
    assert not (folder / "results").exists()
    metrics = json.loads(bucket.Object(f"project/{METRICS}").get()["Body"].read())
    local = json.loads((finished_run.folder / METRICS).read_text())
    for report in (metrics, local):
        del report["provenance"]
    assert metrics == local
    # The cache stays on the file system.
    assert not any(".clips" in name for name in stored)
    assert planned_jobs(snakemake("-n", "--quiet", "rules")) == {}
    # Which files exist is read from S3.
    for name in ("metrics.json", "main/mafnet/seed1/metrics.json"):
        bucket.Object(f"project/results/tiny/{name}").delete()
    assert planned_jobs(snakemake("-n", "--quiet", "rules")) == {"evaluate": 1, "metrics": 1}
