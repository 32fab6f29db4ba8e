/* What the test programs share: each test prints "ok NAME" or "FAIL NAME", and
 * the last line of a program is "N passed, N failed". */

#ifndef TEST_H
#define TEST_H

#include "kentro.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_passed, test_failed, test_ok;

/* For calls on the main thread. */
static kentro_error *test_error;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("  %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            test_ok = 0; \
        } \
    } while (0)

/* Checks what a call of Kentro returns. */
#define STATUS(expected, call) \
    do { \
        kentro_status found_ = (call); \
        if (found_ != (expected)) { \
            printf("  %s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
                   kentro_status_message(found_)); \
            test_ok = 0; \
        } \
    } while (0)

#define OK(call) STATUS(KENTRO_STATUS_OK, call)

/* Checks what the last call with `test_error` had to say. */
#define DETAIL(text) \
    do { \
        if (strcmp(kentro_error_message(test_error), text) != 0) { \
            printf("  %s:%d: the error is: %s\n", __FILE__, __LINE__, \
                   kentro_error_message(test_error)); \
            test_ok = 0; \
        } \
    } while (0)

#define RUN(test) \
    do { \
        test_ok = 1; \
        test_error = kentro_error_new(); \
        test(); \
        kentro_error_free(test_error); \
        printf("%s %s\n", test_ok ? "ok" : "FAIL", #test); \
        fflush(stdout); \
        *(test_ok ? &test_passed : &test_failed) += 1; \
    } while (0)

static int finish(void)
{
    printf("%d passed, %d failed\n", test_passed, test_failed);
    return test_failed != 0;
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return memory;
}

/* A number from 0 to below 1. */
static inline double unit(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (double)(1 << 24);
}

/* rows x cols values, row i about a corner of a cube that i % corners picks. */
static inline float *blobs(size_t rows, size_t cols, size_t corners)
{
    float *data = allocate(rows * cols, sizeof *data);
    uint64_t state = 1;
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            int high = (int)((i % corners) >> (j % 4)) & 1;
            data[i * cols + j] = (high ? 5.0f : -5.0f) + (float)unit(&state);
        }
    return data;
}

static inline kentro_kmeans *new_kmeans(size_t n_clusters, int32_t euclidean)
{
    kentro_kmeans *kmeans = NULL;
    if (kentro_kmeans_new(n_clusters, &kmeans, NULL) != KENTRO_STATUS_OK
        || kentro_kmeans_set_euclidean(kmeans, euclidean, NULL) != KENTRO_STATUS_OK) {
        fprintf(stderr, "cannot make a model\n");
        exit(2);
    }
    return kmeans;
}

/* Trains on float32 rows without gaps. */
static inline kentro_status train_f32(kentro_kmeans *kmeans, const float *data, size_t rows,
                                      size_t cols, size_t num_threads,
                                      const kentro_observer *observer, kentro_error *error)
{
    kentro_points *points = NULL;
    kentro_status status = kentro_points_new_f32(data, rows, cols, &points, error);
    if (status == KENTRO_STATUS_OK)
        status = kentro_kmeans_train(kmeans, points, num_threads, observer, error);
    kentro_points_free(points);
    return status;
}

/* Assigns float32 rows without gaps. */
static inline kentro_status assign_f32(const kentro_kmeans *kmeans, const float *data, size_t rows,
                                       size_t cols, size_t k, size_t num_threads,
                                       const kentro_observer *observer,
                                       kentro_clusters **out_clusters, kentro_error *error)
{
    kentro_points *points = NULL;
    kentro_status status = kentro_points_new_f32(data, rows, cols, &points, error);
    if (status == KENTRO_STATUS_OK)
        status = kentro_kmeans_assign(kmeans, points, k, num_threads, observer, out_clusters, error);
    kentro_points_free(points);
    return status;
}

#endif
