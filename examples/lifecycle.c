/* The life of a model: training with weights that is cancelled from another
 * thread, training that is stopped and kept, saving; and in another process
 * loading and asking for the nearest clusters with their distances.
 *
 * cc -std=c99 -O2 examples/lifecycle.c $(pkg-config --cflags --libs kentro) -lpthread -o lifecycle
 * ./lifecycle train MODEL && ./lifecycle ask MODEL */

#define _POSIX_C_SOURCE 200809L /* nanosleep */

#include <kentro.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 2000, COLS = 8, N_CLUSTERS = 8, NEAREST = 2, ASKED = 3 };

static float rows[ROWS * COLS];
static double weights[ROWS];
static kentro_error *error; /* what the last call had to say */

/* Ends the program where a call failed. */
static void check(kentro_status status)
{
    if (status != KENTRO_STATUS_OK) {
        fprintf(stderr, "lifecycle: %s\n", kentro_error_message(error));
        exit(1);
    }
}

/* Five heaps that overlap; rows of weight 0 count as if they were not there. */
static kentro_points *make_points(void)
{
    kentro_points *points;
    uint64_t state = 1;
    size_t i, j;
    for (i = 0; i < ROWS; i++) {
        weights[i] = (double)(i % 4);
        for (j = 0; j < COLS; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            rows[i * COLS + j] = (float)(i * (j + 1) % 5) / 2 + (float)(state >> 40) / (1 << 24);
        }
    }
    check(kentro_points_new_f32(rows, ROWS, COLS, &points, error));
    check(kentro_points_set_weights(points, weights, KENTRO_DTYPE_F64, ROWS, error));
    return points;
}

/* What another thread does, or a signal handler. */
static void *request_soon(void *cancel)
{
    const struct timespec soon = {0, 50 * 1000 * 1000};
    nanosleep(&soon, NULL);
    kentro_cancel_request(cancel);
    return NULL;
}

static int32_t stop_after_three(const kentro_progress *now, void *user_data)
{
    (void)user_data;
    return now->total >= 3 ? KENTRO_STOP : KENTRO_CONTINUE;
}

static void train(kentro_points *points, const char *path)
{
    static uint32_t again[ROWS];
    char text[1024];
    kentro_kmeans *kmeans;
    kentro_cancel *cancel;
    kentro_observer observer;
    pthread_t thread;
    const uint32_t *labels;
    size_t n_iter, len;
    double inertia;

    check(kentro_kmeans_new(N_CLUSTERS, &kmeans, error));
    check(kentro_kmeans_set_euclidean(kmeans, 1, error));
    check(kentro_kmeans_set_n_init(kmeans, 1000000, error)); /* longer than anybody waits */

    check(kentro_cancel_new(&cancel, error));
    memset(&observer, 0, sizeof observer);
    observer.size = sizeof observer;
    observer.cancel = cancel;
    if (pthread_create(&thread, NULL, request_soon, cancel) != 0)
        exit(1);
    if (kentro_kmeans_train(kmeans, points, KENTRO_ALL_THREADS, &observer, error)
        == KENTRO_STATUS_CANCELLED)
        printf("trained and cancelled: %s\n", kentro_error_message(error));
    pthread_join(thread, NULL);
    kentro_cancel_free(cancel);

    observer.cancel = NULL;
    observer.progress = stop_after_three;
    check(kentro_kmeans_train(kmeans, points, KENTRO_ALL_THREADS, &observer, error));
    check(kentro_kmeans_inertia(kmeans, &inertia, error));
    check(kentro_kmeans_n_iter(kmeans, &n_iter, error));
    check(kentro_kmeans_labels(kmeans, &labels, &len, error));
    check(kentro_kmeans_predict(kmeans, points, 1, KENTRO_ALL_THREADS, NULL, again, ROWS, NULL, 0,
                                NULL, error));
    printf("trained and stopped: %zu iterations, inertia %.3f, %s\n", n_iter, inertia,
           memcmp(labels, again, sizeof again) == 0 ? "a whole model" : "half a model");

    check(kentro_kmeans_save(kmeans, path, 1, error));
    check(kentro_kmeans_describe(kmeans, text, sizeof text, &len, error));
    printf("saved: %s\n", text);
    kentro_kmeans_free(kmeans);
}

static void ask(kentro_points *points, const char *path)
{
    uint32_t labels[ASKED * NEAREST];
    double distances[ASKED * NEAREST], score;
    char text[1024];
    kentro_kmeans *kmeans;
    size_t width, i, j;

    check(kentro_kmeans_load(path, &kmeans, error));
    check(kentro_kmeans_describe(kmeans, text, sizeof text, &i, error));
    printf("loaded: %s\n", text);
    check(kentro_kmeans_predict_f32(kmeans, rows, ASKED, COLS, NEAREST, 1, NULL, labels,
                                    ASKED * NEAREST, distances, ASKED * NEAREST, &width, error));
    for (i = 0; i < ASKED; i++) {
        printf("row %zu:", i);
        for (j = i * width; j < (i + 1) * width; j++)
            printf(" cluster %u at %.6f", (unsigned)labels[j], distances[j]);
        printf("\n");
    }
    check(kentro_kmeans_score(kmeans, points, KENTRO_ALL_THREADS, NULL, &score, error));
    printf("score: %.3f\n", score);
    kentro_kmeans_free(kmeans);
}

int main(int argc, char **argv)
{
    kentro_points *points;
    if (argc != 3 || (strcmp(argv[1], "train") != 0 && strcmp(argv[1], "ask") != 0)) {
        fprintf(stderr, "usage: lifecycle train|ask MODEL\n");
        return 1;
    }
    error = kentro_error_new();
    points = make_points();
    (argv[1][0] == 't' ? train : ask)(points, argv[2]);
    kentro_points_free(points);
    kentro_error_free(error);
    return 0;
}
