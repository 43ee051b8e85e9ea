# Params functions: the options of a job's command.


def each(option, name):
    """A params function: `--option FILE` for each file of a named input."""

    def arguments(wildcards, input):
        files = input.get(name, [])
        paths = [files] if isinstance(files, str) else files
        return [part for path in paths for part in (f"--{option}", path)]

    return arguments


def folders_of(paths):
    """The folders of some files, each once."""
    return list(dict.fromkeys(str(Path(path).parent) for path in paths))


def each_run(wildcards, input):
    """`--run FOLDER` for each run whose metrics are an input."""
    return [part for folder in folders_of(input.metrics) for part in ("--run", folder)]


def trained_on(wildcards, input):
    """`--features FILE` for each feature file, `--member FOLDER` for each run of a late fusion.

    In one parameter, because another text of the command would train all finished runs again.
    """
    paths = input.get("members", [])
    folders = folders_of([paths] if isinstance(paths, str) else paths)
    members = [part for folder in folders for part in ("--member", folder)]
    return each("features", "features")(wildcards, input) + members


def named_sounds(wildcards, input):
    """`--sounds FEATURES WEIGHTS` if the audio backbone has classes of its own."""
    found = input.get("sounds", [])
    return ["--sounds", *found] if found else []


def each_split(wildcards, input):
    """`--split NAME FILE` for each split whose manifest is an input."""
    named = zip(PLAN.splits(wildcards.dataset), input.get("splits", []))
    return [part for split, path in named for part in ("--split", split, path)]


def link_roots(wildcards):
    """`--link-root FOLDER` for each folder to which links of videos may lead."""
    return [part for root in PLAN.link_roots(wildcards.dataset) for part in ("--link-root", root)]


def each_media(wildcards, input):
    """`--media FILE --root FOLDER` if the media table is an input."""
    media = input.get("media")
    return ["--media", media, "--root", VALUES[wildcards.dataset]["root"]] if media else []


def run_folder(wildcards, output):
    """The folder of a run."""
    return Path(output[0]).parent


def weights_source(wildcards):
    """The row of published weights: if it changes they are fetched again; other rows do not matter."""
    return str(PUBLISHED.get((wildcards.backbone, wildcards.name), ""))


def network_source(wildcards):
    """The row of a video network's published weights, as `weights_source`."""
    return str(PUBLISHED.get((wildcards.network, PRETRAINED), ""))
