/* Trains on a file of float32 rows that need not fit into memory: a source lends one
 * block of them after the other, as often as it is asked. The model is that of all rows
 * together, bit for bit. Then tells how many rows each cluster has.
 *
 * cc -std=c99 -O2 examples/source.c $(pkg-config --cflags --libs kentro) -o source
 * ./source ROWS.f32 N_DIMENSIONS N_CLUSTERS ROWS_PER_BLOCK
 *
 * blocks.c does the same by an iteration of its own, which other machines can share. */

#include <kentro.h>

#include <stdio.h>
#include <stdlib.h>

/* What the callbacks get. */
struct reader {
    FILE *file;
    float *rows;
    size_t most, dims;
    kentro_points *points; /* the view that was lent last */
    const char *message;
};

static int32_t begin_anew(void *user_data)
{
    struct reader *reader = user_data;
    if (fseek(reader->file, 0, SEEK_SET) == 0)
        return 0;
    reader->message = "the file has no beginning";
    return 1;
}

static int32_t next_block(const kentro_points **out_points, void *user_data)
{
    struct reader *reader = user_data;
    size_t count = fread(reader->rows, reader->dims * sizeof(float), reader->most, reader->file);
    if (ferror(reader->file)) {
        reader->message = "the file cannot be read";
        return 1;
    }
    kentro_points_free(reader->points);
    reader->points = NULL;
    if (count > 0 && kentro_points_new_f32(reader->rows, count, reader->dims, &reader->points,
                                           NULL) != KENTRO_STATUS_OK)
        return 1;
    *out_points = reader->points; /* NULL after the last */
    return 0;
}

static const char *why(void *user_data)
{
    return ((struct reader *)user_data)->message;
}

/* Gets the labels of a block after the other. */
static int32_t count_rows(const uint32_t *labels, size_t rows, void *user_data)
{
    size_t *sizes = user_data, row;
    for (row = 0; row < rows; row++)
        sizes[labels[row]]++;
    return 0;
}

int main(int argc, char **argv)
{
    struct reader reader = {0};
    kentro_source source = {0};
    kentro_error *error = kentro_error_new();
    kentro_kmeans *kmeans = NULL;
    size_t clusters, cluster, *sizes;
    double inertia = 0;
    int failed;
    if (argc != 5) {
        fprintf(stderr, "usage: source ROWS.f32 N_DIMENSIONS N_CLUSTERS ROWS_PER_BLOCK\n");
        return 1;
    }
    reader.file = fopen(argv[1], "rb");
    reader.dims = strtoul(argv[2], NULL, 10);
    clusters = strtoul(argv[3], NULL, 10);
    reader.most = strtoul(argv[4], NULL, 10);
    reader.rows = calloc(reader.most * reader.dims, sizeof(float));
    sizes = calloc(clusters, sizeof *sizes);
    if (reader.file == NULL || reader.rows == NULL || sizes == NULL) {
        fprintf(stderr, "source: %s: no such file, or no memory\n", argv[1]);
        return 1;
    }
    source.size = sizeof source;
    source.rewind = begin_anew;
    source.next = next_block;
    source.message = why;
    source.user_data = &reader;

    failed = kentro_kmeans_new(clusters, &kmeans, error)
             || kentro_kmeans_set_euclidean(kmeans, 1, error)
             || kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_FAST, error)
             || kentro_kmeans_set_memory_limit(kmeans, 500 * 1000 * 1000, error)
             || kentro_kmeans_train_source(kmeans, &source, KENTRO_ALL_THREADS, NULL, error)
             || kentro_kmeans_inertia(kmeans, &inertia, error)
             || kentro_kmeans_predict_source(kmeans, &source, count_rows, sizes,
                                             KENTRO_ALL_THREADS, NULL, error);
    if (failed)
        fprintf(stderr, "source: %s\n", kentro_error_message(error));
    else
        printf("inertia %.0f\n", inertia);
    for (cluster = 0; cluster < clusters && !failed; cluster++)
        printf("cluster %lu: %lu rows\n", (unsigned long)cluster, (unsigned long)sizes[cluster]);
    kentro_kmeans_free(kmeans);
    kentro_points_free(reader.points);
    kentro_error_free(error);
    fclose(reader.file);
    free(reader.rows);
    free(sizes);
    return failed;
}
