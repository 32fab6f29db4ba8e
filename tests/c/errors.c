/* Misuse: every mistake that can be caught is a status and a text. */

#include "test.h"

static const float four[] = {0, 0, 1, 0, 10, 0, 11, 0};

static int is_trained(const kentro_kmeans *kmeans)
{
    int32_t trained = -1;
    OK(kentro_kmeans_is_trained(kmeans, &trained));
    return trained;
}

/* The model is untrained after an error, and as good as new. */
static void still_usable(kentro_kmeans *kmeans)
{
    CHECK(!is_trained(kmeans));
    OK(kentro_kmeans_train_f32(kmeans, four, 4, 2, 1));
    CHECK(is_trained(kmeans));
}

static void statuses_have_texts(void)
{
    int32_t status;
    for (status = 0; status <= KENTRO_STATUS_BUSY; status++) {
        CHECK(strlen(kentro_status_message(status)) > 0);
        CHECK(strcmp(kentro_status_message(status), "unknown status") != 0);
    }
    CHECK(!strcmp(kentro_status_message(-1), "unknown status"));
    CHECK(!strcmp(kentro_status_message(KENTRO_STATUS_BUSY + 1), "unknown status"));
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
    const char *text;
    uint32_t label[4];

    NULL_POINTER(kentro_kmeans_clone(NULL, &kmeans));
    NULL_POINTER(kentro_kmeans_set_iterations(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_euclidean(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_balanced(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_max_balance_diff(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_verbose(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_use_medoids(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_seed(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_tolerance(NULL, 0));
    NULL_POINTER(kentro_kmeans_set_init(NULL, KENTRO_INIT_AUTO));
    NULL_POINTER(kentro_kmeans_set_init_centroids(NULL, four, 4, 2));
    NULL_POINTER(kentro_kmeans_set_n_init(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_quality(NULL, KENTRO_QUALITY_BEST));
    NULL_POINTER(kentro_kmeans_set_memory_limit(NULL, 1));
    NULL_POINTER(kentro_kmeans_set_progress(NULL, NULL, NULL));
    NULL_POINTER(kentro_kmeans_set_poll(NULL, NULL, NULL));
    NULL_POINTER(kentro_kmeans_set_log(NULL, NULL, NULL));
    NULL_POINTER(kentro_kmeans_train(NULL, NULL, 1));
    NULL_POINTER(kentro_kmeans_train_f32(NULL, four, 4, 2, 1));
    NULL_POINTER(kentro_kmeans_assign(NULL, NULL, 1, 1, &clusters));
    NULL_POINTER(kentro_kmeans_assign_f32(NULL, four, 4, 2, 1, 1, &clusters));
    NULL_POINTER(kentro_kmeans_predict(NULL, NULL, 1, 1, label, NULL));
    NULL_POINTER(kentro_kmeans_predict_f32(NULL, four, 4, 2, 1, 1, label, NULL));
    NULL_POINTER(kentro_kmeans_predict_balanced(NULL, NULL, 1, label, NULL));
    NULL_POINTER(kentro_kmeans_balance_gap(NULL, &number));
    NULL_POINTER(kentro_kmeans_info(NULL, &text));
    NULL_POINTER(kentro_kmeans_labels(NULL, &labels, &size));
    NULL_POINTER(kentro_kmeans_centroids(NULL, &centroids, &size, &size));
    NULL_POINTER(kentro_kmeans_medoid_indices(NULL, &indices, &size));
    NULL_POINTER(kentro_kmeans_clusters(NULL, &clusters));
    NULL_POINTER(kentro_kmeans_inertia(NULL, &number));
    NULL_POINTER(kentro_kmeans_n_iter(NULL, &size));
    NULL_POINTER(kentro_kmeans_n_warnings(NULL, &size));
    NULL_POINTER(kentro_kmeans_warning(NULL, 0, &text));
    NULL_POINTER(kentro_kmeans_n_clusters(NULL, &size));
    NULL_POINTER(kentro_kmeans_iterations(NULL, &size));
    NULL_POINTER(kentro_kmeans_max_balance_diff(NULL, &size));
    NULL_POINTER(kentro_kmeans_is_euclidean(NULL, &flag));
    NULL_POINTER(kentro_kmeans_is_balanced(NULL, &flag));
    NULL_POINTER(kentro_kmeans_is_use_medoids(NULL, &flag));
    NULL_POINTER(kentro_kmeans_is_verbose(NULL, &flag));
    NULL_POINTER(kentro_kmeans_is_trained(NULL, &flag));
    NULL_POINTER(kentro_clusters_n_clusters(NULL, &size));
    NULL_POINTER(kentro_clusters_members(NULL, 0, &indices, &size));
    NULL_POINTER(kentro_clusters_offsets(NULL, &indices, &size));
    NULL_POINTER(kentro_clusters_all_members(NULL, &indices, &size));
    CHECK(strlen(kentro_kmeans_error(NULL)) > 0);
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

    NULL_POINTER(kentro_kmeans_new(2, NULL));
    NULL_POINTER(kentro_kmeans_clone(kmeans, NULL));
    NULL_POINTER(kentro_points_new_f32(four, 4, 2, NULL));
    NULL_POINTER(kentro_points_new_f32(NULL, 4, 2, &points));
    NULL_POINTER(kentro_points_new(four, 4, 2, 8, 4, KENTRO_DTYPE_F32, NULL));
    NULL_POINTER(kentro_points_new(NULL, 4, 2, 8, 4, KENTRO_DTYPE_F32, &points));
    CHECK(points == NULL);
    NULL_POINTER(kentro_kmeans_set_init_centroids(kmeans, NULL, 2, 2));
    DETAIL(kmeans, "centroids is NULL");
    NULL_POINTER(kentro_kmeans_train(kmeans, NULL, 1));
    DETAIL(kmeans, "points is NULL");
    NULL_POINTER(kentro_kmeans_train_f32(kmeans, NULL, 4, 2, 1));
    DETAIL(kmeans, "data is NULL");
    NULL_POINTER(kentro_kmeans_n_clusters(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_iterations(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_max_balance_diff(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_is_euclidean(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_is_balanced(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_is_use_medoids(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_is_verbose(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_is_trained(kmeans, NULL));
    still_usable(kmeans);

    NULL_POINTER(kentro_kmeans_assign(kmeans, NULL, 1, 1, &clusters));
    NULL_POINTER(kentro_kmeans_assign_f32(kmeans, NULL, 4, 2, 1, 1, &clusters));
    NULL_POINTER(kentro_kmeans_assign_f32(kmeans, four, 4, 2, 1, 1, NULL));
    NULL_POINTER(kentro_kmeans_predict(kmeans, NULL, 1, 1, label, NULL));
    NULL_POINTER(kentro_kmeans_predict_f32(kmeans, NULL, 4, 2, 1, 1, label, NULL));
    NULL_POINTER(kentro_kmeans_predict_f32(kmeans, four, 4, 2, 1, 1, NULL, NULL));
    NULL_POINTER(kentro_kmeans_predict_balanced(kmeans, NULL, 1, label, NULL));
    NULL_POINTER(kentro_kmeans_balance_gap(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_info(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_labels(kmeans, NULL, &size));
    NULL_POINTER(kentro_kmeans_labels(kmeans, &labels, NULL));
    NULL_POINTER(kentro_kmeans_centroids(kmeans, NULL, &size, &size));
    NULL_POINTER(kentro_kmeans_centroids(kmeans, &centroids, NULL, &size));
    NULL_POINTER(kentro_kmeans_centroids(kmeans, &centroids, &size, NULL));
    NULL_POINTER(kentro_kmeans_medoid_indices(kmeans, NULL, &size));
    NULL_POINTER(kentro_kmeans_medoid_indices(kmeans, &indices, NULL));
    NULL_POINTER(kentro_kmeans_clusters(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_inertia(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_n_iter(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_n_warnings(kmeans, NULL));
    NULL_POINTER(kentro_kmeans_warning(kmeans, 0, NULL));
    OK(kentro_kmeans_clusters(kmeans, &clusters));
    NULL_POINTER(kentro_clusters_n_clusters(clusters, NULL));
    NULL_POINTER(kentro_clusters_members(clusters, 0, NULL, &size));
    NULL_POINTER(kentro_clusters_members(clusters, 0, &indices, NULL));
    NULL_POINTER(kentro_clusters_offsets(clusters, NULL, &size));
    NULL_POINTER(kentro_clusters_offsets(clusters, &indices, NULL));
    NULL_POINTER(kentro_clusters_all_members(clusters, NULL, &size));
    NULL_POINTER(kentro_clusters_all_members(clusters, &indices, NULL));
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

    STATUS(KENTRO_STATUS_INVALID_N_CLUSTERS, kentro_kmeans_new(0, &kmeans));
    CHECK(kmeans == NULL);
    kmeans = new_kmeans(2, 1);
    DETAIL(kmeans, "");
#define INVALID(call) STATUS(KENTRO_STATUS_INVALID_PARAMETER, call)
    INVALID(kentro_kmeans_set_iterations(kmeans, 0));
    DETAIL(kmeans, "Number of iterations must be positive");
    INVALID(kentro_kmeans_set_max_balance_diff(kmeans, 0));
    DETAIL(kmeans, "Max balance difference must be positive");
    INVALID(kentro_kmeans_set_n_init(kmeans, 0));
    INVALID(kentro_kmeans_set_euclidean(kmeans, 2));
    DETAIL(kmeans, "euclidean must be 0 or 1, got 2");
    INVALID(kentro_kmeans_set_euclidean(kmeans, -1));
    INVALID(kentro_kmeans_set_balanced(kmeans, 2));
    INVALID(kentro_kmeans_set_verbose(kmeans, INT32_MAX));
    INVALID(kentro_kmeans_set_use_medoids(kmeans, INT32_MIN));
    INVALID(kentro_kmeans_set_tolerance(kmeans, -1e-9));
    INVALID(kentro_kmeans_set_tolerance(kmeans, NAN));
    INVALID(kentro_kmeans_set_tolerance(kmeans, INFINITY));
    INVALID(kentro_kmeans_set_init(kmeans, KENTRO_INIT_RANDOM + 1));
    DETAIL(kmeans, "init must be one of KENTRO_INIT_*, got 4");
    INVALID(kentro_kmeans_set_init(kmeans, -1));
    INVALID(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_BEST + 1));
    INVALID(kentro_kmeans_set_quality(kmeans, -1));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, 3, 2));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, SIZE_MAX / 8, 1));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, four, SIZE_MAX, SIZE_MAX));
    INVALID(kentro_kmeans_set_init_centroids(kmeans, nan_centroids, 2, 2));
    DETAIL(kmeans, "init at row 1, column 1 is NaN; every value must be finite");

    OK(kentro_kmeans_n_clusters(kmeans, &size));
    CHECK(size == 2);
    OK(kentro_kmeans_iterations(kmeans, &size));
    CHECK(size == 25);
    OK(kentro_kmeans_max_balance_diff(kmeans, &size));
    CHECK(size == 16);
    OK(kentro_kmeans_is_euclidean(kmeans, &flag));
    CHECK(flag == 1);
    OK(kentro_kmeans_is_balanced(kmeans, &flag));
    CHECK(flag == 0);
    OK(kentro_kmeans_is_verbose(kmeans, &flag));
    CHECK(flag == 0);
    OK(kentro_kmeans_is_use_medoids(kmeans, &flag));
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
           kentro_kmeans_train_f32(kmeans, four, 4, 2, 1));
    DETAIL(kmeans, "Number of points (4) must be at least as large as number of clusters (5)");
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           kentro_kmeans_train_f32(kmeans, NULL, 0, 2, 1));
    CHECK(!is_trained(kmeans));
    kentro_kmeans_free(kmeans);

    kmeans = new_kmeans(2, 1);
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_train_f32(kmeans, four, 4, 0, 1));
    CHECK(strstr(kentro_kmeans_error(kmeans), "4 x 0") != NULL);
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_train_f32(kmeans, NULL, 4, 0, 1));
    for (kind = 0; kind < 3; kind++) {
        char text[64];
        memcpy(bad, four, sizeof bad);
        bad[5] = values[kind]; /* row 2, column 1 */
        bad[6] = NAN;
        STATUS(KENTRO_STATUS_NOT_FINITE, kentro_kmeans_train_f32(kmeans, bad, 4, 2, 1));
        snprintf(text, sizeof text, "row 2, column 1 is %s;", texts[kind]);
        CHECK(strstr(kentro_kmeans_error(kmeans), text) != NULL);
    }
    OK(kentro_kmeans_set_init_centroids(kmeans, four, 2, 3));
    STATUS(KENTRO_STATUS_DIMENSION_MISMATCH, kentro_kmeans_train_f32(kmeans, four, 4, 2, 1));
    OK(kentro_kmeans_set_init(kmeans, KENTRO_INIT_AUTO));
    still_usable(kmeans);

    {
        kentro_clusters *clusters = NULL;
        uint32_t labels[4];
        STATUS(KENTRO_STATUS_NOT_FINITE,
               kentro_kmeans_assign_f32(kmeans, bad, 4, 2, 1, 1, &clusters));
        STATUS(KENTRO_STATUS_NOT_FINITE,
               kentro_kmeans_predict_f32(kmeans, bad, 4, 2, 1, 1, labels, NULL));
        CHECK(strstr(kentro_kmeans_error(kmeans), "row 2, column 1 is -inf;") != NULL);
        CHECK(clusters == NULL);
    }
    kentro_kmeans_free(kmeans);
}

/* Data is dealt with in points.c. */
static void misaligned_arguments_are_errors(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    double memory[4] = {0, 0, 0, 0};
    void *odd = (char *)memory + 1;
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_set_init_centroids(kmeans, odd, 2, 2));
    DETAIL(kmeans, "centroids is not aligned to its type");
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_iterations(kmeans, odd));
    STATUS(KENTRO_STATUS_INVALID_DATA, kentro_kmeans_new(2, odd));
    still_usable(kmeans);
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_kmeans_predict_f32(kmeans, four, 2, 2, 1, 1, odd, NULL));
    STATUS(KENTRO_STATUS_INVALID_DATA,
           kentro_kmeans_predict_f32(kmeans, four, 2, 2, 1, 1, (uint32_t *)(void *)memory, odd));
    CHECK(memory[0] == 0 && memory[1] == 0);
    kentro_kmeans_free(kmeans);
}

static void huge_numbers_of_clusters_fail_at_training(void)
{
    kentro_kmeans *kmeans = new_kmeans((size_t)1 << 40, 1);
    STATUS(KENTRO_STATUS_INSUFFICIENT_POINTS,
           kentro_kmeans_train_f32(kmeans, four, 4, 2, 1));
    DETAIL(kmeans, "Number of points (4) must be at least as large as number of clusters "
                   "(1099511627776)");
    kentro_kmeans_free(kmeans);
}

static void a_model_trains_once(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    const uint32_t *before, *after;
    size_t len;
    OK(kentro_kmeans_train_f32(kmeans, four, 4, 2, 1));
    OK(kentro_kmeans_labels(kmeans, &before, &len));
    STATUS(KENTRO_STATUS_ALREADY_TRAINED, kentro_kmeans_train_f32(kmeans, four, 4, 2, 2));
    DETAIL(kmeans, "Clustering has already been trained");
    OK(kentro_kmeans_labels(kmeans, &after, &len));
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
    NOT_TRAINED(kentro_kmeans_assign_f32(kmeans, four, 4, 2, 1, 1, &clusters));
    DETAIL(kmeans, "Clustering has not been trained yet");
    NOT_TRAINED(kentro_kmeans_predict_f32(kmeans, four, 4, 2, 1, 1, label, NULL));
    NOT_TRAINED(kentro_kmeans_labels(kmeans, &labels, &size));
    NOT_TRAINED(kentro_kmeans_centroids(kmeans, &centroids, &size, &size));
    NOT_TRAINED(kentro_kmeans_medoid_indices(kmeans, &indices, &size));
    NOT_TRAINED(kentro_kmeans_clusters(kmeans, &clusters));
    NOT_TRAINED(kentro_kmeans_inertia(kmeans, &inertia));
    NOT_TRAINED(kentro_kmeans_balance_gap(kmeans, &inertia));
    NOT_TRAINED(kentro_kmeans_info(kmeans, &text));
    NOT_TRAINED(kentro_kmeans_n_iter(kmeans, &size));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_warning(kmeans, 0, &text));
    CHECK(size == 7 && inertia == 7 && labels == NULL && indices == NULL);
    CHECK(centroids == NULL && clusters == NULL && text == NULL && label[0] == 7);
    OK(kentro_kmeans_n_warnings(kmeans, &size));
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
           kentro_kmeans_assign_f32(kmeans, bad, 2, 2, 0, 1, &clusters));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_train_f32(kmeans, bad, 2, 2, 0));
    CHECK(strstr(kentro_kmeans_error(kmeans), "num_threads must be positive") != NULL);
    still_usable(kmeans);
    STATUS(KENTRO_STATUS_ALREADY_TRAINED, kentro_kmeans_train_f32(kmeans, bad, 2, 2, 0));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_assign_f32(kmeans, bad, 2, 2, 0, 1, &clusters));
    DETAIL(kmeans, "Invalid parameter: k must be positive");
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_assign_f32(kmeans, four, 4, 2, 1, 0, &clusters));
    STATUS(KENTRO_STATUS_DIMENSION_MISMATCH,
           kentro_kmeans_assign_f32(kmeans, bad, 1, 4, 1, 1, &clusters));
    DETAIL(kmeans, "Dimension mismatch: expected 2, got 4");
    CHECK(clusters == NULL);
    kentro_kmeans_free(kmeans);
}

static void errors_belong_to_their_handle(void)
{
    kentro_kmeans *a = new_kmeans(2, 1), *b = NULL;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_set_iterations(a, 0));
    OK(kentro_kmeans_clone(a, &b));
    DETAIL(b, "");
    OK(kentro_kmeans_set_iterations(a, 3));
    DETAIL(a, "Number of iterations must be positive");
    kentro_kmeans_free(a);
    kentro_kmeans_free(b);
}

static void clusters_beyond_the_last_are_errors(void)
{
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_clusters *clusters = NULL;
    const size_t *members = NULL;
    size_t len = 7;
    OK(kentro_kmeans_train_f32(kmeans, four, 4, 2, 1));
    OK(kentro_kmeans_clusters(kmeans, &clusters));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_clusters_members(clusters, 2, &members, &len));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_clusters_members(clusters, SIZE_MAX, &members, &len));
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
    RUN(misaligned_arguments_are_errors);
    RUN(huge_numbers_of_clusters_fail_at_training);
    RUN(a_model_trains_once);
    RUN(untrained_models_have_no_results);
    RUN(checks_come_in_order);
    RUN(errors_belong_to_their_handle);
    RUN(clusters_beyond_the_last_are_errors);
    return finish();
}
