/* Running out of memory; the limit is too low for sanitizers and valgrind. */

#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include <sys/resource.h>

static const unsigned char number = 1;
static const size_t rows = 100u << 20; /* of one number, all at the same place */

static kentro_points *new_points(void)
{
    kentro_points *points = NULL;
    OK(kentro_points_new(&number, rows, 1, 0, 1, KENTRO_DTYPE_U8, &points, test_error));
    return points;
}

static void training_is_an_error_and_not_the_end(void)
{
    const float few[] = {1, 2, 8, 9};
    int32_t balanced, medoids;
    for (balanced = 0; balanced <= 1; balanced++)
        for (medoids = 0; medoids <= 1; medoids++) {
            kentro_points *points = new_points();
            kentro_kmeans *kmeans = new_kmeans(2, 1);
            OK(kentro_kmeans_set_balanced(kmeans, balanced, test_error));
            OK(kentro_kmeans_set_use_medoids(kmeans, medoids, test_error));
            STATUS(KENTRO_STATUS_OUT_OF_MEMORY, kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
            CHECK(strstr(kentro_error_message(test_error), "Out of memory: ") != NULL);
            OK(train_f32(kmeans, few, 4, 1, 1, NULL, test_error));
            kentro_points_free(points);
            kentro_kmeans_free(kmeans);
        }
}

static void assigning_is_an_error_and_not_the_end(void)
{
    const float few[] = {1, 2, 8, 9};
    kentro_points *points = new_points();
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_clusters *clusters = NULL;
    OK(train_f32(kmeans, few, 4, 1, 1, NULL, test_error));
    STATUS(KENTRO_STATUS_OUT_OF_MEMORY,
           kentro_kmeans_assign(kmeans, points, 1, 1, NULL, &clusters, test_error));
    CHECK(clusters == NULL);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

int main(void)
{
    struct rlimit limit = {256u << 20, 256u << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    RUN(training_is_an_error_and_not_the_end);
    RUN(assigning_is_an_error_and_not_the_end);
    return finish();
}
