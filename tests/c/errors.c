/* Misuse: every mistake that can be caught is a status and a text. */

#include "test.h"

static const float four[] = {0, 0, 1, 0, 10, 0, 11, 0};

static int is_trained(const kentro_kmeans *kmeans)
{
    int32_t trained = -1;
    OK(kentro_kmeans_is_trained(kmeans, &trained, test_error));
    return trained;
}

/* The model is untrained after an error, and as good as new. */
static void still_usable(kentro_kmeans *kmeans)
{
    CHECK(!is_trained(kmeans));
    OK(train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    CHECK(is_trained(kmeans));
}

static void statuses_have_texts(void)
{
    int32_t status;
    for (status = 0; status <= KENTRO_STATUS_SOURCE; status++) {
        CHECK(strlen(kentro_status_message(status)) > 0);
        CHECK(strcmp(kentro_status_message(status), "unknown status") != 0);
    }
    CHECK(!strcmp(kentro_status_message(-1), "unknown status"));
    CHECK(!strcmp(kentro_status_message(KENTRO_STATUS_SOURCE + 1), "unknown status"));
    CHECK(!strcmp(kentro_status_message(INT32_MIN), "unknown status"));
    CHECK(!strcmp(kentro_status_message(KENTRO_STATUS_INVALID_N_CLUSTERS),
                  "Number of clusters must be positive"));
    CHECK(!strcmp(kentro_status_message(KENTRO_STATUS_ALREADY_TRAINED),
                  "Clustering has already been trained"));
    CHECK(!strcmp(kentro_status_message(KENTRO_STATUS_NOT_TRAINED),
                  "Clustering has not been trained yet"));
}

static void versions_agree(void)
{
    uint32_t number = (uint32_t)KENTRO_VERSION_MAJOR << 16
        | (uint32_t)KENTRO_VERSION_MINOR << 8 | (uint32_t)KENTRO_VERSION_PATCH;
    CHECK(!strcmp(kentro_version(), KENTRO_VERSION));
    CHECK(kentro_version_number() == number);
}

static void null_may_be_freed(void)
{
    kentro_kmeans_free(NULL);
    kentro_points_free(NULL);
    kentro_clusters_free(NULL);
}

#define NULL_POINTER(call) STATUS(KENTRO_STATUS_NULL_POINTER, call)

static void null_handles_are_errors(void)
{
    kentro_kmeans *kmeans = NULL;
    kentro_clusters *clusters = NULL;
    size_t size;
    int32_t flag;
    double number;
    const uint32_t *labels;
    const size_t *indices;
    const float *centroids;
    const double *numbers;
    const char *text;
    uint32_t label[4];

    NULL_POINTER(kentro_kmeans_clone(NULL, &kmeans, test_error));
    NULL_POINTER(kentro_kmeans_set_iterations(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_euclidean(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_balanced(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_max_balance_diff(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_size_bounds(NULL, 1, 2, test_error));
    NULL_POINTER(kentro_kmeans_set_verbose(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_use_medoids(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_seed(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_tolerance(NULL, 0, test_error));
    NULL_POINTER(kentro_kmeans_set_init(NULL, KENTRO_INIT_AUTO, test_error));
    NULL_POINTER(kentro_kmeans_set_init_centroids(NULL, four, KENTRO_DTYPE_F32, 4, 2, test_error));
    NULL_POINTER(kentro_kmeans_set_n_init(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_set_quality(NULL, KENTRO_QUALITY_BEST, test_error));
    NULL_POINTER(kentro_kmeans_set_memory_limit(NULL, 1, test_error));
    NULL_POINTER(kentro_kmeans_train(NULL, NULL, 1, NULL, test_error));
    NULL_POINTER(train_f32(NULL, four, 4, 2, 1, NULL, test_error));
    NULL_POINTER(kentro_kmeans_assign(NULL, NULL, 1, 1, NULL, &clusters, test_error));
    NULL_POINTER(assign_f32(NULL, four, 4, 2, 1, 1, NULL, &clusters, test_error));
    NULL_POINTER(kentro_kmeans_predict(NULL, NULL, 1, 1, NULL, label, 1, NULL, 0, NULL, test_error));
    NULL_POINTER(kentro_kmeans_predict_f32(NULL, four, 4, 2, 1, 1, NULL, label, 1, NULL, 0, NULL,
                                           test_error));
    NULL_POINTER(kentro_kmeans_predict_balanced(NULL, NULL, 1, NULL, label, 1, NULL, 0, test_error));
    NULL_POINTER(kentro_kmeans_balance_gap(NULL, &number, test_error));
    NULL_POINTER(kentro_kmeans_info(NULL, &text, test_error));
    NULL_POINTER(kentro_kmeans_labels(NULL, &labels, &size, test_error));
    NULL_POINTER(kentro_kmeans_centroids(NULL, &centroids, &size, &size, test_error));
    NULL_POINTER(kentro_kmeans_medoid_indices(NULL, &indices, &size, test_error));
    NULL_POINTER(kentro_kmeans_cluster_parents(NULL, &labels, &size, test_error));
    NULL_POINTER(kentro_kmeans_centroids_f64(NULL, &number, 1, test_error));
    NULL_POINTER(kentro_kmeans_offset(NULL, &numbers, &size, test_error));
    NULL_POINTER(kentro_kmeans_cluster_sizes(NULL, &indices, &size, test_error));
    NULL_POINTER(kentro_kmeans_cluster_weights(NULL, &numbers, &size, test_error));
    NULL_POINTER(kentro_kmeans_clusters(NULL, &clusters, test_error));
    NULL_POINTER(kentro_kmeans_inertia(NULL, &number, test_error));
    NULL_POINTER(kentro_kmeans_n_iter(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_n_warnings(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_warning(NULL, 0, &text, test_error));
    NULL_POINTER(kentro_kmeans_n_clusters(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_iterations(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_max_balance_diff(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_min_size(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_max_size(NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_is_euclidean(NULL, &flag, test_error));
    NULL_POINTER(kentro_kmeans_is_balanced(NULL, &flag, test_error));
    NULL_POINTER(kentro_kmeans_is_use_medoids(NULL, &flag, test_error));
    NULL_POINTER(kentro_kmeans_is_verbose(NULL, &flag, test_error));
    NULL_POINTER(kentro_kmeans_is_trained(NULL, &flag, test_error));
    NULL_POINTER(kentro_clusters_n_clusters(NULL, &size, test_error));
    NULL_POINTER(kentro_clusters_members(NULL, 0, &indices, &size, test_error));
    NULL_POINTER(kentro_clusters_offsets(NULL, &indices, &size, test_error));
    NULL_POINTER(kentro_clusters_all_members(NULL, &indices, &size, test_error));
    CHECK(kmeans == NULL && clusters == NULL);
}

static void null_arguments_are_errors(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_points *points = NULL;
    kentro_clusters *clusters = NULL;
    size_t size = 7;
    const uint32_t *labels = NULL;
    const size_t *indices = NULL;
    const float *centroids = NULL;
    uint32_t label[4];

    NULL_POINTER(kentro_kmeans_new(2, NULL, test_error));
    NULL_POINTER(kentro_kmeans_clone(kmeans, NULL, test_error));
    NULL_POINTER(kentro_points_new_f32(four, 4, 2, NULL, test_error));
    NULL_POINTER(kentro_points_new_f32(NULL, 4, 2, &points, test_error));
    NULL_POINTER(kentro_points_new(four, 4, 2, 8, 4, KENTRO_DTYPE_F32, NULL, test_error));
    NULL_POINTER(kentro_points_new(NULL, 4, 2, 8, 4, KENTRO_DTYPE_F32, &points, test_error));
    {
        const int32_t f32 = KENTRO_DTYPE_F32, i32 = KENTRO_DTYPE_I32;
        const int32_t numbers[] = {0, 1};
        NULL_POINTER(kentro_points_new_csr(four, f32, numbers, i32, numbers, i32, 1, 2, 1, NULL, test_error));
        NULL_POINTER(kentro_points_new_csr(NULL, f32, numbers, i32, numbers, i32, 1, 2, 1, &points, test_error));
        NULL_POINTER(kentro_points_new_csr(four, f32, NULL, i32, numbers, i32, 1, 2, 1, &points, test_error));
        NULL_POINTER(kentro_points_new_csr(four, f32, numbers, i32, NULL, i32, 1, 2, 1, &points, test_error));
    }
    CHECK(points == NULL);
    NULL_POINTER(kentro_kmeans_set_init_centroids(kmeans, NULL, KENTRO_DTYPE_F32, 2, 2, test_error));
    DETAIL("centroids is NULL");
    NULL_POINTER(kentro_kmeans_train(kmeans, NULL, 1, NULL, test_error));
    DETAIL("points is NULL");
    NULL_POINTER(train_f32(kmeans, NULL, 4, 2, 1, NULL, test_error));
    DETAIL("data is NULL");
    NULL_POINTER(kentro_kmeans_n_clusters(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_iterations(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_max_balance_diff(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_min_size(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_max_size(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_is_euclidean(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_is_balanced(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_is_use_medoids(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_is_verbose(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_is_trained(kmeans, NULL, test_error));
    still_usable(kmeans);

    NULL_POINTER(kentro_kmeans_assign(kmeans, NULL, 1, 1, NULL, &clusters, test_error));
    NULL_POINTER(assign_f32(kmeans, NULL, 4, 2, 1, 1, NULL, &clusters, test_error));
    NULL_POINTER(assign_f32(kmeans, four, 4, 2, 1, 1, NULL, NULL, test_error));
    NULL_POINTER(kentro_kmeans_predict(kmeans, NULL, 1, 1, NULL, label, 1, NULL, 0, NULL,
                                       test_error));
    NULL_POINTER(kentro_kmeans_predict_f32(kmeans, NULL, 4, 2, 1, 1, NULL, label, 1, NULL, 0, NULL,
                                           test_error));
    NULL_POINTER(kentro_kmeans_predict_f32(kmeans, four, 4, 2, 1, 1, NULL, NULL, 0, NULL, 0, NULL,
                                           test_error));
    NULL_POINTER(kentro_kmeans_predict_balanced(kmeans, NULL, 1, NULL, label, 1, NULL, 0,
                                                test_error));
    NULL_POINTER(kentro_kmeans_balance_gap(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_info(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_labels(kmeans, NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_labels(kmeans, &labels, NULL, test_error));
    NULL_POINTER(kentro_kmeans_centroids(kmeans, NULL, &size, &size, test_error));
    NULL_POINTER(kentro_kmeans_centroids(kmeans, &centroids, NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_centroids(kmeans, &centroids, &size, NULL, test_error));
    NULL_POINTER(kentro_kmeans_medoid_indices(kmeans, NULL, &size, test_error));
    NULL_POINTER(kentro_kmeans_medoid_indices(kmeans, &indices, NULL, test_error));
    NULL_POINTER(kentro_kmeans_clusters(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_inertia(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_n_iter(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_n_warnings(kmeans, NULL, test_error));
    NULL_POINTER(kentro_kmeans_warning(kmeans, 0, NULL, test_error));
    OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
    NULL_POINTER(kentro_clusters_n_clusters(clusters, NULL, test_error));
    NULL_POINTER(kentro_clusters_members(clusters, 0, NULL, &size, test_error));
    NULL_POINTER(kentro_clusters_members(clusters, 0, &indices, NULL, test_error));
    NULL_POINTER(kentro_clusters_offsets(clusters, NULL, &size, test_error));
    NULL_POINTER(kentro_clusters_offsets(clusters, &indices, NULL, test_error));
    NULL_POINTER(kentro_clusters_all_members(clusters, NULL, &size, test_error));
    NULL_POINTER(kentro_clusters_all_members(clusters, &indices, NULL, test_error));
    CHECK(size == 7 && labels == NULL && indices == NULL && centroids == NULL);
    kentro_clusters_free(clusters);
    kentro_kmeans_free(kmeans);
}

static void settings_out_of_range_change_nothing(void)
{
    kentro_kmeans *kmeans = NULL;
    size_t size = 0;
    int32_t flag = -1;
    const float nan_centroids[] = {0, 0, 0, NAN};

    STATUS(KENTRO_STATUS_INVALID_N_CLUSTERS, kentro_kmeans_new(0, &kmeans, test_error));
    CHECK(kmeans == NULL);
    DETAIL("Number of clusters must be positive");
    kmeans = new_kmeans(2, 1);
#define INVALID(call) STATUS(KENTRO_STATUS_INVALID_PARAMETER, call)
    INVALID(kentro_kmeans_set_iterations(kmeans, 0, test_error));
    DETAIL("Number of iterations must be positive");
    INVALID(kentro_kmeans_set_max_balance_diff(kmeans, 0, test_error));
    DETAIL("Max balance difference must be positive");
    INVALID(kentro_kmeans_set_size_bounds(kmeans, 3, 2, test_error));
    DETAIL("min_size 3 is greater than max_size 2; give the smaller first");
    INVALID(kentro_kmeans_set_n_init(kmeans, 0, test_error));
    INVALID(kentro_kmeans_set_euclidean(kmeans, 2, test_error));
    DETAIL("euclidean must be 0 or 1, got 2");
    INVALID(kentro_kmeans_set_euclidean(kmeans, -1, test_error));
    INVALID(kentro_kmeans_set_balanced(kmeans, 2, test_error));
    INVALID(kentro_kmeans_set_verbose(kmeans, INT32_MAX, test_error));
    INVALID(kentro_kmeans_set_use_medoids(kmeans, INT32_MIN, test_error));
    INVALID(kentro_kmeans_set_tolerance(kmeans, -1e-9, test_error));
    INVALID(kentro_kmeans_set_tolerance(kmeans, NAN, test_error));
    INVALID(kentro_kmeans_set_tolerance(kmeans, INFINITY, test_error));
    INVALID(kentro_kmeans_set_init(kmeans, KENTRO_INIT_CENTROIDS, test_error));
    INVALID(kentro_kmeans_set_init(kmeans, KENTRO_INIT_TREE + 1, test_error));
    DETAIL("init must be one of KENTRO_INIT_*, got 6");
    INVALID(kentro_kmeans_set_init(kmeans, -1, test_error));
    INVALID(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_BEST + 1, test_error));
    INVALID(kentro_kmeans_set_quality(kmeans, -1, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_F32, 3, 2, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_F32, SIZE_MAX / 8, 1, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_F32, SIZE_MAX, SIZE_MAX, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, nan_centroids, KENTRO_DTYPE_F32, 2, 2, test_error));
    DETAIL("init at row 1, column 1 is NaN; every value must be a finite float32, "
           "so remove or replace it");
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_I32, 2, 2, test_error));

    OK(kentro_kmeans_n_clusters(kmeans, &size, test_error));
    CHECK(size == 2);
    OK(kentro_kmeans_iterations(kmeans, &size, test_error));
    CHECK(size == 25);
    OK(kentro_kmeans_max_balance_diff(kmeans, &size, test_error));
    CHECK(size == 16);
    OK(kentro_kmeans_min_size(kmeans, &size, test_error));
    CHECK(size == 0);
    OK(kentro_kmeans_max_size(kmeans, &size, test_error));
    CHECK(size == SIZE_MAX);
    OK(kentro_kmeans_is_euclidean(kmeans, &flag, test_error));
    CHECK(flag == 1);
    OK(kentro_kmeans_is_balanced(kmeans, &flag, test_error));
    CHECK(flag == 0);
    OK(kentro_kmeans_is_verbose(kmeans, &flag, test_error));
    CHECK(flag == 0);
    OK(kentro_kmeans_is_use_medoids(kmeans, &flag, test_error));
    CHECK(flag == 0);
    still_usable(kmeans);
    kentro_kmeans_free(kmeans);
}

static void bad_data_leaves_the_model_untrained(void)
{
    kentro_kmeans *kmeans = new_kmeans(5, 1);
    float bad[8];
    size_t kind;
    const float values[] = {NAN, INFINITY, -INFINITY};
    const char *const texts[] = {"NaN", "inf", "-inf"};

    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    DETAIL("Number of points (4) must be at least as large as number of clusters (5)");
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           train_f32(kmeans, NULL, 0, 2, 1, NULL, test_error));
    CHECK(!is_trained(kmeans));
    kentro_kmeans_free(kmeans);

    kmeans = new_kmeans(2, 1);
    STATUS(KENTRO_STATUS_INVALID_DATA, train_f32(kmeans, four, 4, 0, 1, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "4 x 0") != NULL);
    STATUS(KENTRO_STATUS_INVALID_DATA, train_f32(kmeans, NULL, 4, 0, 1, NULL, test_error));
    for (kind = 0; kind < 3; kind++) {
        char text[64];
        memcpy(bad, four, sizeof bad);
        bad[5] = values[kind]; /* row 2, column 1 */
        bad[6] = NAN;
        STATUS(KENTRO_STATUS_NOT_FINITE, train_f32(kmeans, bad, 4, 2, 1, NULL, test_error));
        snprintf(text, sizeof text, "row 2, column 1 is %s;", texts[kind]);
        CHECK(strstr(kentro_error_message(test_error), text) != NULL);
    }
    OK(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_F32, 2, 3, test_error));
    STATUS(KENTRO_STATUS_DIMENSION_MISMATCH, train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    OK(kentro_kmeans_set_init(kmeans, KENTRO_INIT_AUTO, test_error));
    still_usable(kmeans);

    {
        kentro_clusters *clusters = NULL;
        uint32_t labels[4];
        STATUS(KENTRO_STATUS_NOT_FINITE,
               assign_f32(kmeans, bad, 4, 2, 1, 1, NULL, &clusters, test_error));
        STATUS(KENTRO_STATUS_NOT_FINITE,
               kentro_kmeans_predict_f32(kmeans, bad, 4, 2, 1, 1, NULL, labels, 4, NULL, 0, NULL,
                                         test_error));
        CHECK(strstr(kentro_error_message(test_error), "row 2, column 1 is -inf;") != NULL);
        CHECK(clusters == NULL);
    }
    kentro_kmeans_free(kmeans);
}

static void weights_are_checked(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_points *points = NULL;
    double weights[] = {1, 2, -3, NAN};
    const float equal[] = {1, 1, 1, 1};
    OK(kentro_points_new_f32(four, 4, 2, &points, test_error));
    NULL_POINTER(kentro_points_set_weights(NULL, weights, KENTRO_DTYPE_F64, 4, test_error));
    NULL_POINTER(kentro_points_set_weights(points, NULL, KENTRO_DTYPE_F64, 4, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_points_set_weights(points, weights, KENTRO_DTYPE_I32, 4, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_points_set_weights(points, weights, KENTRO_DTYPE_F64, 3, test_error));
    DETAIL("Invalid data: there are 3 weights for 4 rows; give one for each");
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_points_set_weights(points, weights, KENTRO_DTYPE_F64, SIZE_MAX, test_error));
    OK(kentro_points_set_weights(points, weights, KENTRO_DTYPE_F64, 4, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    DETAIL("Invalid data: the weight of row 2 is -3; weights must be finite and at least 0");
    CHECK(kentro_error_row(test_error) == 2);
    memset(weights, 0, sizeof weights);
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    weights[1] = 1;
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    OK(kentro_points_set_weights(points, equal, KENTRO_DTYPE_F32, 4, test_error));
    OK(kentro_points_set_weights(points, NULL, 0, 0, test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

/* Data is dealt with in points.c. */
static void misaligned_arguments_are_errors(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    double memory[4] = {0, 0, 0, 0};
    void *odd = (char *)memory + 1;
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_set_init_centroids(kmeans, odd, KENTRO_DTYPE_F32, 2, 2, test_error));
    DETAIL("centroids is not aligned to its type");
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_iterations(kmeans, odd, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_new(2, odd, test_error));
    still_usable(kmeans);
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_kmeans_predict_f32(kmeans, four, 2, 2, 1, 1, NULL, odd, 2, NULL, 0, NULL,
                                     test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_kmeans_predict_f32(kmeans, four, 2, 2, 1, 1, NULL, (uint32_t *)(void *)memory, 2,
                                     odd, 2, NULL, test_error));
    CHECK(memory[0] == 0 && memory[1] == 0);
    kentro_kmeans_free(kmeans);
}

static void huge_numbers_of_clusters_fail_at_training(void)
{
    kentro_kmeans *kmeans = new_kmeans((size_t)1 << 40, 1);
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    DETAIL("Number of points (4) must be at least as large as number of clusters "
                   "(1099511627776)");
    kentro_kmeans_free(kmeans);
}

static void a_model_trains_once(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    const uint32_t *before, *after;
    size_t len;
    OK(train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    OK(kentro_kmeans_labels(kmeans, &before, &len, test_error));
    STATUS(KENTRO_STATUS_ALREADY_TRAINED, train_f32(kmeans, four, 4, 2, 2, NULL, test_error));
    DETAIL("Clustering has already been trained");
    OK(kentro_kmeans_labels(kmeans, &after, &len, test_error));
    CHECK(before == after && len == 4);
    kentro_kmeans_free(kmeans);
}

static void untrained_models_have_no_results(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_clusters *clusters = NULL;
    size_t size = 7;
    double inertia = 7;
    const uint32_t *labels = NULL;
    const size_t *indices = NULL;
    const float *centroids = NULL;
    const char *text = NULL;
    uint32_t label[4] = {7, 7, 7, 7};
#define NOT_TRAINED(call) STATUS(KENTRO_STATUS_NOT_TRAINED, call)
    NOT_TRAINED(assign_f32(kmeans, four, 4, 2, 1, 1, NULL, &clusters, test_error));
    DETAIL("Clustering has not been trained yet");
    NOT_TRAINED(kentro_kmeans_predict_f32(kmeans, four, 4, 2, 1, 1, NULL, label, 1, NULL, 0, NULL,
                                          test_error));
    NOT_TRAINED(kentro_kmeans_labels(kmeans, &labels, &size, test_error));
    NOT_TRAINED(kentro_kmeans_centroids(kmeans, &centroids, &size, &size, test_error));
    NOT_TRAINED(kentro_kmeans_medoid_indices(kmeans, &indices, &size, test_error));
    NOT_TRAINED(kentro_kmeans_cluster_parents(kmeans, &labels, &size, test_error));
    NOT_TRAINED(kentro_kmeans_clusters(kmeans, &clusters, test_error));
    NOT_TRAINED(kentro_kmeans_inertia(kmeans, &inertia, test_error));
    NOT_TRAINED(kentro_kmeans_balance_gap(kmeans, &inertia, test_error));
    NOT_TRAINED(kentro_kmeans_info(kmeans, &text, test_error));
    NOT_TRAINED(kentro_kmeans_n_iter(kmeans, &size, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_warning(kmeans, 0, &text, test_error));
    CHECK(size == 7 && inertia == 7 && labels == NULL && indices == NULL);
    CHECK(centroids == NULL && clusters == NULL && text == NULL && label[0] == 7);
    OK(kentro_kmeans_n_warnings(kmeans, &size, test_error));
    CHECK(size == 0);
    still_usable(kmeans);
    kentro_kmeans_free(kmeans);
}

/* First whether the model is trained, then the parameters, then the data. */
static void checks_come_in_order(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_clusters *clusters = NULL;
    const float bad[] = {NAN, 0, 0, 0};
    STATUS(KENTRO_STATUS_NOT_TRAINED,
           assign_f32(kmeans, bad, 2, 2, 0, 1, NULL, &clusters, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, train_f32(kmeans, bad, 2, 2, 0, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "num_threads must be positive") != NULL);
    still_usable(kmeans);
    STATUS(KENTRO_STATUS_ALREADY_TRAINED, train_f32(kmeans, bad, 2, 2, 0, NULL, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           assign_f32(kmeans, bad, 2, 2, 0, 1, NULL, &clusters, test_error));
    DETAIL("Invalid parameter: k must be positive");
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           assign_f32(kmeans, four, 4, 2, 1, 0, NULL, &clusters, test_error));
    STATUS(KENTRO_STATUS_DIMENSION_MISMATCH,
           assign_f32(kmeans, bad, 1, 4, 1, 1, NULL, &clusters, test_error));
    DETAIL("Dimension mismatch: expected 2, got 4");
    CHECK(clusters == NULL);
    kentro_kmeans_free(kmeans);
}

static void errors_keep_the_outcome_of_their_last_call(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_error *other = kentro_error_new();
    const float bad[] = {0, 0, 1, NAN};
    CHECK(kentro_error_status(other) == KENTRO_STATUS_OK);
    CHECK(!strcmp(kentro_error_message(other), ""));
    CHECK(kentro_error_row(other) == -1 && kentro_error_column(other) == -1);

    STATUS(KENTRO_STATUS_NOT_FINITE, train_f32(kmeans, bad, 2, 2, 1, NULL, test_error));
    CHECK(kentro_error_status(test_error) == KENTRO_STATUS_NOT_FINITE);
    CHECK(kentro_error_row(test_error) == 1 && kentro_error_column(test_error) == 1);
    CHECK(kentro_error_status(other) == KENTRO_STATUS_OK);

    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_set_iterations(kmeans, 0, NULL));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_set_iterations(kmeans, 0, test_error));
    DETAIL("Number of iterations must be positive");
    CHECK(kentro_error_row(test_error) == -1 && kentro_error_column(test_error) == -1);
    OK(kentro_kmeans_set_iterations(kmeans, 3, test_error));
    CHECK(kentro_error_status(test_error) == KENTRO_STATUS_OK);
    DETAIL("");
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_set_init_centroids(kmeans, bad, KENTRO_DTYPE_F32, 2, 2, other));
    CHECK(kentro_error_row(other) == 1 && kentro_error_column(other) == 1);

    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_set_iterations(NULL, 3, test_error));
    DETAIL("kmeans is NULL");
    CHECK(kentro_error_status(NULL) == KENTRO_STATUS_NULL_POINTER);
    CHECK(!strcmp(kentro_error_message(NULL), ""));
    CHECK(kentro_error_row(NULL) == -1 && kentro_error_column(NULL) == -1);
    kentro_error_free(NULL);
    kentro_error_free(other);
    kentro_kmeans_free(kmeans);
}

/* The largest numbers are settings like others, or out of range, but never a
 * bug in Kentro. */
static void extreme_arguments_are_no_bugs(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1), *huge = NULL;
    kentro_points *points = NULL;
    kentro_clusters *clusters = NULL;
    const char *text = NULL;
    const size_t *members = NULL;
    size_t len = 0;
    uint32_t labels[8];
    int balanced, medoids;
    INVALID(kentro_kmeans_set_init_centroids(kmeans, NULL, KENTRO_DTYPE_F32, SIZE_MAX / 2 + 1, 0, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, NULL, KENTRO_DTYPE_F32, SIZE_MAX, 0, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_F32, 2, SIZE_MAX, test_error));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, KENTRO_DTYPE_F32, 2, SIZE_MAX / 8, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_points_new_f32(NULL, SIZE_MAX, 0, &points, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_points_new_f32(NULL, 0, SIZE_MAX, &points, test_error));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_points_new_f32(four, SIZE_MAX / 4, 2, &points, test_error));
    CHECK(points == NULL);
    OK(kentro_kmeans_new(SIZE_MAX, &huge, test_error));
    INVALID(kentro_kmeans_set_init_centroids(huge, NULL, KENTRO_DTYPE_F32, SIZE_MAX, 0, test_error));
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           train_f32(huge, four, 4, 2, 1, NULL, test_error));
    kentro_kmeans_free(huge);
    kentro_kmeans_free(kmeans);

    for (balanced = 0; balanced <= 1; balanced++)
        for (medoids = 0; medoids <= 1; medoids++) {
            kmeans = new_kmeans(2, 1);
            OK(kentro_kmeans_set_balanced(kmeans, balanced, test_error));
            OK(kentro_kmeans_set_use_medoids(kmeans, medoids, test_error));
            OK(kentro_kmeans_set_iterations(kmeans, SIZE_MAX, test_error));
            OK(kentro_kmeans_set_max_balance_diff(kmeans, SIZE_MAX, test_error));
            OK(kentro_kmeans_set_seed(kmeans, UINT64_MAX, test_error));
            OK(kentro_kmeans_set_tolerance(kmeans, 1e308, test_error));
            OK(kentro_kmeans_set_memory_limit(kmeans, medoids ? UINT64_MAX : 0, test_error));
            OK(train_f32(kmeans, four, 4, 2, SIZE_MAX - 1, NULL, test_error));
            OK(kentro_kmeans_predict_f32(kmeans, four, 4, 2, SIZE_MAX, 1, NULL, labels,
                                         sizeof labels / sizeof *labels, NULL, 0, NULL, test_error));
            OK(assign_f32(kmeans, four, 4, 2, SIZE_MAX, 1, NULL, &clusters, test_error));
            INVALID(kentro_clusters_members(clusters, SIZE_MAX, &members, &len, test_error));
            INVALID(kentro_kmeans_warning(kmeans, SIZE_MAX, &text, test_error));
            kentro_clusters_free(clusters);
            kentro_kmeans_free(kmeans);
        }
}

static void clusters_beyond_the_last_are_errors(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_clusters *clusters = NULL;
    const size_t *members = NULL;
    size_t len = 7;
    OK(train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_clusters_members(clusters, 2, &members, &len, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_clusters_members(clusters, SIZE_MAX, &members, &len, test_error));
    CHECK(members == NULL && len == 7);
    kentro_clusters_free(clusters);
    kentro_kmeans_free(kmeans);
}

int main(void)
{
    RUN(statuses_have_texts);
    RUN(versions_agree);
    RUN(null_may_be_freed);
    RUN(null_handles_are_errors);
    RUN(null_arguments_are_errors);
    RUN(settings_out_of_range_change_nothing);
    RUN(bad_data_leaves_the_model_untrained);
    RUN(weights_are_checked);
    RUN(misaligned_arguments_are_errors);
    RUN(huge_numbers_of_clusters_fail_at_training);
    RUN(a_model_trains_once);
    RUN(untrained_models_have_no_results);
    RUN(checks_come_in_order);
    RUN(errors_keep_the_outcome_of_their_last_call);
    RUN(extreme_arguments_are_no_bugs);
    RUN(clusters_beyond_the_last_are_errors);
    return finish();
}
