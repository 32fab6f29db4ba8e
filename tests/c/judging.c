/* Sweeps, silhouettes and representatives. */

#include "test.h"

enum { ROWS = 300, COLS = 3, CORNERS = 4 };

static float *data;
static kentro_points *points;

static void a_sweep_trains_a_model_for_each_number(void)
{
    const size_t ks[] = {1, 2, 4};
    kentro_kmeans *template = new_kmeans(7, 1), *models[3] = {NULL, NULL, NULL};
    double seconds[3], silhouettes[3], before = INFINITY, inertia = 0;
    size_t i, count = 0;
    OK(kentro_kmeans_sweep(template, points, ks, 3, 1, NULL, models, seconds, silhouettes,
                           test_error));
    for (i = 0; i < 3; i++) {
        OK(kentro_kmeans_n_clusters(models[i], &count, test_error));
        CHECK(count == ks[i] && seconds[i] >= 0);
        OK(kentro_kmeans_inertia(models[i], &inertia, test_error));
        CHECK(inertia < before);
        before = inertia;
        kentro_kmeans_free(models[i]);
    }
    CHECK(isnan(silhouettes[0]) && silhouettes[2] > silhouettes[1] && silhouettes[2] > 0.8);
    OK(kentro_kmeans_sweep(template, points, ks, 2, 1, NULL, models, NULL, NULL, test_error));
    kentro_kmeans_free(models[0]);
    kentro_kmeans_free(models[1]);
    kentro_kmeans_free(template);
}

static void a_sweep_that_fails_makes_no_model(void)
{
    const size_t descending[] = {4, 2}, many[] = {2, ROWS + 1};
    kentro_kmeans *template = new_kmeans(7, 1), *models[2] = {NULL, NULL};
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_sweep(template, points, descending, 2, 1, NULL, models, NULL, NULL,
                               test_error));
    DETAIL("ks must ascend, got 2 after 4");
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           kentro_kmeans_sweep(template, points, many, 2, 1, NULL, models, NULL, NULL, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_sweep(template, points, NULL, 2, 1, NULL, models, NULL, NULL, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_sweep(template, points, many, 2, 1, NULL, NULL, NULL, NULL, test_error));
    CHECK(models[0] == NULL && models[1] == NULL);
    kentro_kmeans_free(template);
}

static void silhouettes_say_how_many_rows_they_are_of(void)
{
    uint32_t labels[ROWS];
    double score = 0;
    size_t i, rows = 0;
    for (i = 0; i < ROWS; i++)
        labels[i] = (uint32_t)(i % CORNERS) + 5;
    OK(kentro_silhouette(points, labels, ROWS, 1, 0, 0, 1, NULL, &score, &rows, test_error));
    CHECK(rows == ROWS && score > 0.9 && score <= 1);
    OK(kentro_silhouette(points, labels, ROWS, 0, 10, 1, 1, NULL, &score, &rows, test_error));
    CHECK(rows == 10);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_silhouette(points, labels, ROWS - 1, 1, 0, 0, 1, NULL, &score, &rows,
                             test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_silhouette(points, labels, ROWS, 2, 0, 0, 1, NULL, &score, &rows, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_silhouette(points, labels, ROWS, 1, 0, 0, 1, NULL, NULL, &rows, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_silhouette(NULL, labels, ROWS, 1, 0, 0, 1, NULL, &score, &rows, test_error));
}

static void representatives_are_of_their_cluster(void)
{
    kentro_kmeans *kmeans = new_kmeans(CORNERS, 1);
    kentro_clusters *clusters = NULL;
    const size_t *members = NULL;
    const uint32_t *labels = NULL;
    size_t i, cluster, len = 0, all = 0;
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    OK(kentro_kmeans_labels(kmeans, &labels, &all, test_error));
    OK(kentro_kmeans_representatives(kmeans, points, 3, 1, NULL, &clusters, test_error));
    for (cluster = 0; cluster < CORNERS; cluster++) {
        OK(kentro_clusters_members(clusters, cluster, &members, &len, test_error));
        CHECK(len == 3);
        for (i = 0; i < len; i++)
            CHECK(labels[members[i]] == cluster);
    }
    kentro_clusters_free(clusters);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_representatives(kmeans, points, 0, 1, NULL, &clusters, test_error));
    DETAIL("m must be positive, got 0");
    kentro_kmeans_free(kmeans);
}

int main(void)
{
    data = blobs(ROWS, COLS, CORNERS);
    if (kentro_points_new_f32(data, ROWS, COLS, &points, NULL) != KENTRO_STATUS_OK)
        return 2;
    RUN(a_sweep_trains_a_model_for_each_number);
    RUN(a_sweep_that_fails_makes_no_model);
    RUN(silhouettes_say_how_many_rows_they_are_of);
    RUN(representatives_are_of_their_cluster);
    kentro_points_free(points);
    free(data);
    return finish();
}
