/* What a row costs when a trained model is asked for 1, 4, 64 .. rows at a time,
 * beside a plain loop over the centroids that compilers make vectors of. One
 * thread; the least of several rounds, in CPU time.
 *
 *     one_row [clusters] [dimensions] [euclidean: 1 or 0]
 *
 * `make bench` builds and runs it. */

#define _POSIX_C_SOURCE 200809L

#include <kentro.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROWS = 4096, TOP = 8, ROUNDS = 9 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float draw(void)
{
    static uint64_t state = 1;
    float sum = 0;
    int i;
    for (i = 0; i < 4; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(state >> 40) / (1 << 24) - 0.5f;
    }
    return sum;
}

static void check(kentro_status status)
{
    if (status != KENTRO_STATUS_OK) {
        fprintf(stderr, "%s\n", kentro_status_message(status));
        exit(1);
    }
}

static uint32_t nearest(const float *row, const float *centroids, size_t k, size_t dims)
{
    uint32_t best = 0;
    float least = INFINITY;
    size_t j, t;
    for (j = 0; j < k; j++) {
        float sum = 0;
        for (t = 0; t < dims; t++) {
            float difference = row[t] - centroids[j * dims + t];
            sum += difference * difference;
        }
        if (sum < least) {
            least = sum;
            best = (uint32_t)j;
        }
    }
    return best;
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
    return argc > i ? (size_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1, 4, 16, 64, 256, 1024, 4096};
    static const size_t tops[] = {1, TOP};
    size_t k = argument(argc, argv, 1, 1000), dims = argument(argc, argv, 2, 128);
    int euclidean = (int)argument(argc, argv, 3, 1);
    float *centroids = malloc(k * dims * sizeof *centroids);
    float *rows = malloc(ROWS * dims * sizeof *rows);
    uint32_t *labels = malloc(ROWS * TOP * sizeof *labels);
    kentro_points *points;
    kentro_kmeans *model;
    double loop = INFINITY;
    size_t i, t, s, round;
    uint32_t sum = 0;
    if (centroids == NULL || rows == NULL || labels == NULL)
        return 1;
    for (i = 0; i < k * dims; i++)
        centroids[i] = draw();
    for (i = 0; i < ROWS; i++)
        for (t = 0; t < dims; t++)
            rows[i * dims + t] = centroids[i * 7919 % k * dims + t] + 0.7f * draw();
    check(kentro_points_new_f32(centroids, k, dims, &points, NULL));
    check(kentro_kmeans_from_centroids(points, euclidean, NULL, 0, &model, NULL));
    for (round = 0; round < ROUNDS; round++) {
        double start = seconds(), time;
        for (i = 0; i < 256; i++)
            sum += nearest(rows + i * dims, centroids, k, dims);
        time = (seconds() - start) / 256;
        loop = time < loop ? time : loop;
    }
    printf("%zu clusters, %zu dimensions, %s: a loop takes %.2f us a row (%u)\n", k, dims,
           euclidean ? "Euclidean" : "cosine", 1e6 * loop, (unsigned)(sum % 10));
    printf("%12s %12s %12s %12s\n", "nearest", "rows a call", "us a row", "of the loop");
    for (t = 0; t < 2; t++) {
        for (s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            size_t size = sizes[s], calls = size < 256 ? 256 / size : 1;
            double least = INFINITY;
            for (round = 0; round < ROUNDS; round++) {
                double start = seconds(), time;
                for (i = 0; i < calls; i++)
                    check(kentro_kmeans_predict_f32(model, rows + i * size * dims, size, dims,
                                                    tops[t], 1, NULL, labels, ROWS * TOP, NULL, 0,
                                                    NULL, NULL));
                time = (seconds() - start) / (double)(calls * size);
                least = time < least ? time : least;
            }
            printf("%12zu %12zu %12.2f %12.2f\n", tops[t], size, 1e6 * least, least / loop);
        }
    }
    kentro_kmeans_free(model);
    kentro_points_free(points);
    free(centroids);
    free(rows);
    free(labels);
    return 0;
}
