/* Clusters a file of float32 rows block by block: one block is in memory at a
 * time, and the centroids are those of all rows together.
 *
 * cc -std=c99 -O2 examples/blocks.c $(pkg-config --cflags --libs kentro) -o blocks
 * ./blocks ROWS.f32 N_DIMENSIONS N_CLUSTERS ROWS_PER_BLOCK
 *
 * Blocks that stay in memory, or are mapped into it, are faster: they keep what
 * they know of their rows from iteration to iteration. */

#include <kentro.h>

#include <stdio.h>
#include <stdlib.h>

static kentro_error *error;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "blocks: %s: %s\n", what, why);
    exit(1);
}

static void check(kentro_status status)
{
    if (status != KENTRO_STATUS_OK)
        fail(kentro_status_message(status), kentro_error_message(error));
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail("memory", "there is not enough");
    return memory;
}

static size_t number(const char *text)
{
    long value = strtol(text, NULL, 10);
    if (value < 1)
        fail(text, "must be a number from 1");
    return (size_t)value;
}

/* What some rows come to for these centroids. */
static kentro_partial *partial_of(const float *rows, size_t count, size_t dims,
                                  const float *centroids, size_t clusters)
{
    kentro_points *points = NULL;
    kentro_block *block = NULL;
    kentro_partial *partial = NULL;
    check(kentro_points_new_f32(rows, count, dims, &points, error));
    check(kentro_block_new(points, 1, &block, error));
    check(kentro_block_partial(block, centroids, clusters, dims, KENTRO_ALL_THREADS, NULL,
                               &partial, error));
    kentro_block_free(block);
    kentro_points_free(points);
    return partial;
}

/* Reads the file once; returns what all its rows come to. */
static kentro_partial *pass(FILE *file, float *rows, size_t most, size_t dims,
                            const float *centroids, size_t clusters)
{
    kentro_partial *all = NULL;
    size_t count;
    rewind(file);
    while ((count = fread(rows, dims * sizeof *rows, most, file)) > 0) {
        kentro_partial *partial = partial_of(rows, count, dims, centroids, clusters);
        if (all == NULL) {
            all = partial;
            continue;
        }
        check(kentro_partial_merge(all, partial, error));
        kentro_partial_free(partial);
    }
    if (all == NULL)
        fail("the file", "has no rows");
    return all;
}

int main(int argc, char **argv)
{
    size_t dims, clusters, most;
    float *rows, *centroids;
    int32_t converged = 0;
    int iteration;
    FILE *file;
    if (argc != 5)
        fail("usage", "blocks ROWS.f32 N_DIMENSIONS N_CLUSTERS ROWS_PER_BLOCK");
    dims = number(argv[2]);
    clusters = number(argv[3]);
    most = number(argv[4]);
    file = fopen(argv[1], "rb");
    if (file == NULL)
        fail(argv[1], "cannot be read");
    error = kentro_error_new();
    rows = allocate(most * dims, sizeof *rows);
    centroids = allocate(clusters * dims, sizeof *centroids);
    /* The first rows are the first centroids. */
    if (fread(centroids, dims * sizeof *centroids, clusters, file) != clusters)
        fail(argv[1], "has fewer rows than clusters");
    for (iteration = 1; iteration <= 100 && !converged; iteration++) {
        kentro_partial *all = pass(file, rows, most, dims, centroids, clusters);
        double inertia = 0;
        check(kentro_partial_inertia(all, &inertia, error));
        check(kentro_partial_finalize(all, centroids, centroids, clusters * dims, &converged,
                                      error));
        printf("iteration %d: inertia %.0f\n", iteration, inertia);
        kentro_partial_free(all);
    }
    printf(converged ? "converged\n" : "stopped\n");
    fclose(file);
    free(rows);
    free(centroids);
    kentro_error_free(error);
    return 0;
}
