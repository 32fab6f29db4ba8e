"""Texts that `--help` and the manual page share."""

DESCRIPTION = "Cluster vectors: K-means, balanced K-means and K-medoids."
COUNTING = (
    "Rows, columns and clusters are counted from 0, and ranges have both ends: 0:63 are the "
    "first 64 columns. Amounts may end in k, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (of "
    "1024). What a command writes is there whole or not at all."
)
EXIT_CODES = (
    ("0", "all went well"),
    ("1", "data, a file or the model do not allow it: the message says why"),
    ("2", "the command line is wrong"),
    ("3", "a fault of Kentro's own: please report the traceback"),
    ("130", "Ctrl-C; likewise 143 for SIGTERM, 141 if nobody reads the pipe"),
)
EXAMPLES = {
    "": (
        "kentro fit vectors.npy -k 1000 -o model.safetensors",
        "kentro assign model.safetensors vectors.npy -o labels.npy",
        "kentro info model.safetensors",
    ),
    "fit": (
        "kentro fit vectors.npy -k 1000 -o model.safetensors",
        "kentro fit table.parquet --column embedding -k 4096 --sample 1M -o model.safetensors",
        "kentro fit points.csv -k 8 --metric euclidean --balanced -o model.safetensors",
        "zcat points.csv.gz | kentro fit - -k 8 -o model.safetensors --labels labels.csv",
    ),
    "assign": (
        "kentro assign model.safetensors vectors.npy -o labels.npy",
        "kentro assign model.safetensors vectors.npy -n 4 -o lists.ivecs",
        "kentro assign model.safetensors points.csv | sort -n | uniq -c",
    ),
    "sweep": (
        "kentro sweep points.csv -k 2:10 --metric euclidean",
        "kentro sweep vectors.npy -k 64,128,256 --sample 100k --json",
    ),
    "info": (
        "kentro info model.safetensors",
        "kentro info model.safetensors --json | jq .inertia",
        "kentro info vectors.fvecs",
    ),
    "convert": (
        "kentro convert table.parquet --column embedding -o vectors.npy",
        "kentro convert vectors.npy --dtype float16 -o half.npy",
        "kentro convert model.safetensors -o centroids.fvecs",
        "kentro convert centroids.npy --metric euclidean -o model.safetensors",
    ),
}
