/* Training, assignment and results, compared with brute force in float64. */

#include "test.h"

enum { ROWS = 900, COLS = 6, CLUSTERS = 4 };

static double squared_distance(const float *a, const float *b, size_t cols)
{
    double sum = 0;
    size_t j;
    for (j = 0; j < cols; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sum;
}

static double dot(const float *a, const float *b, size_t cols)
{
    double sum = 0;
    size_t j;
    for (j = 0; j < cols; j++)
        sum += (double)a[j] * (double)b[j];
    return sum;
}

/* The nearest of the model's Euclidean centroids, the lowest of equals. */
static uint32_t nearest(const kentro_kmeans *kmeans, const float *row, double *out_distance)
{
    const float *centroids = NULL;
    size_t rows = 0, cols = 0, i;
    uint32_t best = 0;
    *out_distance = INFINITY;
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    for (i = 0; i < rows; i++) {
        double distance = squared_distance(row, centroids + i * cols, cols);
        if (distance < *out_distance) {
            *out_distance = distance;
            best = (uint32_t)i;
        }
    }
    return best;
}

static kentro_kmeans *trained(const float *data, size_t rows, size_t cols,
                              size_t n_clusters, int32_t euclidean)
{
    kentro_kmeans *kmeans = new_kmeans(n_clusters, euclidean);
    OK(train_f32(kmeans, data, rows, cols, 1, NULL, test_error));
    return kmeans;
}

/* Every point of 0..n is once in the lists, ascending in each. */
static void check_partition(const kentro_clusters *clusters, size_t n, size_t n_clusters)
{
    const size_t *offsets = NULL, *all = NULL, *members = NULL;
    size_t offsets_len = 0, all_len = 0, len = 0, found = 0, i, j;
    unsigned char *seen = allocate(n, 1);
    OK(kentro_clusters_n_clusters(clusters, &found, test_error));
    OK(kentro_clusters_offsets(clusters, &offsets, &offsets_len, test_error));
    OK(kentro_clusters_all_members(clusters, &all, &all_len, test_error));
    CHECK(found == n_clusters && offsets_len == n_clusters + 1 && all_len == n);
    CHECK(offsets[0] == 0 && offsets[n_clusters] == n);
    for (j = 0; j < n_clusters; j++) {
        OK(kentro_clusters_members(clusters, j, &members, &len, test_error));
        CHECK(members == all + offsets[j] && len == offsets[j + 1] - offsets[j]);
        for (i = 0; i < len; i++) {
            CHECK(i == 0 || members[i - 1] < members[i]);
            CHECK(members[i] < n && !seen[members[i]]);
            seen[members[i]] = 1;
        }
    }
    free(seen);
}

static int same_clusters(const kentro_clusters *a, const kentro_clusters *b)
{
    const size_t *x = NULL, *y = NULL;
    size_t m = 0, n = 0;
    OK(kentro_clusters_offsets(a, &x, &m, test_error));
    OK(kentro_clusters_offsets(b, &y, &n, test_error));
    if (m != n || memcmp(x, y, m * sizeof *x) != 0)
        return 0;
    OK(kentro_clusters_all_members(a, &x, &m, test_error));
    OK(kentro_clusters_all_members(b, &y, &n, test_error));
    return m == n && memcmp(x, y, m * sizeof *x) == 0;
}

static void finds_separate_blobs(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = trained(data, ROWS, COLS, CLUSTERS, 1);
    kentro_clusters *clusters = NULL;
    const uint32_t *labels = NULL;
    size_t len = 0, i, n_iter = 0;
    double inertia = 0, sum = 0, distance;

    OK(kentro_kmeans_labels(kmeans, &labels, &len, test_error));
    CHECK(len == ROWS);
    for (i = 0; i < ROWS; i++) {
        CHECK(labels[i] == labels[i % CLUSTERS]);
        CHECK(labels[i] == nearest(kmeans, data + i * COLS, &distance));
        sum += distance;
    }
    OK(kentro_kmeans_inertia(kmeans, &inertia, test_error));
    CHECK(fabs(inertia - sum) <= 1e-9 * sum);
    OK(kentro_kmeans_n_iter(kmeans, &n_iter, test_error));
    CHECK(n_iter >= 1 && n_iter < 25); /* stops when nothing changes */
    OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
    check_partition(clusters, ROWS, CLUSTERS);
    kentro_clusters_free(clusters);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void assigning_the_training_data_gives_its_partition(void)
{
    float *data = blobs(ROWS, COLS, 16);
    int32_t euclidean;
    for (euclidean = 0; euclidean <= 1; euclidean++) {
        kentro_kmeans *kmeans = trained(data, ROWS, COLS, 7, euclidean);
        kentro_clusters *clusters = NULL, *assigned = NULL;
        OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
        OK(assign_f32(kmeans, data, ROWS, COLS, 1, KENTRO_ALL_THREADS, NULL, &assigned, test_error));
        check_partition(assigned, ROWS, 7);
        CHECK(same_clusters(clusters, assigned));
        kentro_clusters_free(clusters);
        kentro_clusters_free(assigned);
        kentro_kmeans_free(kmeans);
    }
    free(data);
}

static void assigns_to_several_clusters(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = trained(data, ROWS, COLS, CLUSTERS, 1);
    const size_t ks[] = {2, CLUSTERS, CLUSTERS + 1, SIZE_MAX};
    size_t i, j, len = 0;
    const size_t *members = NULL;
    for (i = 0; i < 4; i++) {
        kentro_clusters *clusters = NULL;
        size_t per_point = ks[i] < CLUSTERS ? ks[i] : CLUSTERS;
        OK(assign_f32(kmeans, data, ROWS, COLS, ks[i], 1, NULL, &clusters, test_error));
        OK(kentro_clusters_all_members(clusters, &members, &len, test_error));
        CHECK(len == ROWS * per_point);
        for (j = 0; per_point == CLUSTERS && j < CLUSTERS; j++) {
            OK(kentro_clusters_members(clusters, j, &members, &len, test_error));
            CHECK(len == ROWS && members[0] == 0 && members[ROWS - 1] == ROWS - 1);
        }
        kentro_clusters_free(clusters);
    }
    kentro_kmeans_free(kmeans);
    free(data);
}

static void assigns_no_points(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = trained(data, ROWS, COLS, CLUSTERS, 1);
    kentro_clusters *clusters = NULL;
    OK(assign_f32(kmeans, NULL, 0, COLS, 1, 1, NULL, &clusters, test_error));
    check_partition(clusters, 0, CLUSTERS);
    OK(kentro_kmeans_predict_f32(kmeans, NULL, 0, COLS, 1, 1, NULL, NULL, 0, NULL, 0, NULL,
                                 test_error));
    kentro_clusters_free(clusters);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void predicts_into_the_callers_buffers(void)
{
    enum { K = 3 };
    float *data = blobs(ROWS, COLS, 16);
    kentro_kmeans *kmeans = trained(data, ROWS, COLS, 9, 1);
    uint32_t *labels = allocate(ROWS * 9 + 1, sizeof *labels);
    double *distances = allocate(ROWS * 9 + 1, sizeof *distances), distance;
    size_t i, j, width = 0;

    labels[ROWS] = 77;
    OK(kentro_kmeans_predict_f32(kmeans, data, ROWS, COLS, 1, 1, NULL, labels, ROWS, NULL, 0,
                                 &width, test_error));
    CHECK(labels[ROWS] == 77 && width == 1);
    for (i = 0; i < ROWS; i++)
        CHECK(labels[i] == nearest(kmeans, data + i * COLS, &distance));

    labels[ROWS * K] = 77;
    distances[ROWS * K] = 77;
    OK(kentro_kmeans_predict_f32(kmeans, data, ROWS, COLS, K, 2, NULL, labels, ROWS * K, distances,
                                 ROWS * K, NULL, test_error));
    CHECK(labels[ROWS * K] == 77 && distances[ROWS * K] == 77);
    for (i = 0; i < ROWS; i++) {
        CHECK(labels[i * K] == nearest(kmeans, data + i * COLS, &distance));
        CHECK(fabs(distances[i * K] - distance) <= 1e-9 * distance);
        for (j = 1; j < K; j++)
            CHECK(distances[i * K + j - 1] <= distances[i * K + j]);
    }

    /* Too small a buffer: nothing is written. */
    labels[0] = 77;
    distances[0] = 77;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_predict_f32(kmeans, data, ROWS, COLS, K, 2, NULL, labels, ROWS * K - 1,
                                     distances, ROWS * K, &width, test_error));
    DETAIL("labels_capacity is 2699, but 900 rows x 3 labels are 2700; give room for as many");
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_predict_f32(kmeans, data, ROWS, COLS, K, 2, NULL, labels, ROWS * K,
                                     distances, 0, &width, test_error));
    DETAIL("distances_capacity is 0, but 900 rows x 3 distances are 2700; give room for as many");
    CHECK(labels[0] == 77 && distances[0] == 77 && width == 1);

    labels[ROWS * 9] = 77; /* more than there are means all */
    OK(kentro_kmeans_predict_f32(kmeans, data, ROWS, COLS, 1000, 1, NULL, labels, ROWS * 9,
                                 distances, ROWS * 9, &width, test_error));
    CHECK(labels[ROWS * 9] == 77 && width == 9);
    kentro_kmeans_free(kmeans);
    free(labels);
    free(distances);
    free(data);
}

static void starts_from_given_centroids(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    const float line[] = {0, 0, 2, 2}, start[] = {2, 0}, point = 1;
    const float *centroids = NULL;
    size_t rows = 0, cols = 0;
    uint32_t label = 9;
    double distance = 9;
    OK(kentro_kmeans_set_init_centroids(kmeans, start, KENTRO_DTYPE_F32, 2, 1, test_error));
    OK(kentro_kmeans_set_iterations(kmeans, 1, test_error));
    OK(train_f32(kmeans, line, 4, 1, 1, NULL, test_error));
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    CHECK(rows == 2 && cols == 1 && centroids[0] == 2 && centroids[1] == 0);
    /* Half way between two centroids: the lowest index. */
    OK(kentro_kmeans_predict_f32(kmeans, &point, 1, 1, 1, 1, NULL, &label, 1, &distance, 1, NULL,
                                 test_error));
    CHECK(label == 0 && distance == 1);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void distances_to_all_centroids_and_a_score(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = trained(data, ROWS, COLS, CLUSTERS, 1);
    kentro_points *points = NULL;
    static double distances[ROWS * CLUSTERS], nearest[ROWS];
    static uint32_t labels[ROWS];
    double score = 0, inertia = 0;
    size_t i, j, width = 0;
    OK(kentro_points_new_f32(data, ROWS, COLS, &points, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_transform(kmeans, points, 2, NULL, distances, ROWS * CLUSTERS - 1, NULL,
                                   test_error));
    OK(kentro_kmeans_transform(kmeans, points, 2, NULL, distances, ROWS * CLUSTERS, &width,
                               test_error));
    CHECK(width == CLUSTERS);
    OK(kentro_kmeans_predict(kmeans, points, 1, 2, NULL, labels, ROWS, nearest, ROWS, NULL,
                             test_error));
    for (i = 0; i < ROWS; i++) {
        CHECK(distances[i * CLUSTERS + labels[i]] == nearest[i]);
        for (j = 0; j < CLUSTERS; j++) CHECK(distances[i * CLUSTERS + j] >= nearest[i]);
    }
    OK(kentro_kmeans_score(kmeans, points, 2, NULL, &score, test_error));
    OK(kentro_kmeans_inertia(kmeans, &inertia, test_error));
    CHECK(fabs(score + inertia) <= 1e-9 * inertia);
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_score(kmeans, points, 2, NULL, NULL, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_transform(kmeans, points, 2, NULL, NULL, ROWS,
                                                               NULL, test_error));
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void wide_numbers_keep_what_tells_them_apart(void)
{
    int64_t data[24];
    double start[8], centroids[8];
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = new_kmeans(8, 1);
    const uint32_t *labels = NULL;
    const size_t *sizes = NULL;
    const double *offset = NULL;
    size_t n = 0, i;
    double inertia = 9;
    float *narrow;
    for (i = 0; i < 24; i++) data[i] = 1000000000 + (int64_t)(i % 8);
    for (i = 0; i < 8; i++) start[i] = 1000000000 + (double)(7 - i);
    OK(kentro_points_new(data, 24, 1, 8, 8, KENTRO_DTYPE_I64, &points, test_error));
    OK(kentro_kmeans_set_init_centroids(kmeans, start, KENTRO_DTYPE_F64, 8, 1, test_error));
    STATUS(KENTRO_STATUS_NOT_TRAINED,
           kentro_kmeans_centroids_f64(kmeans, centroids, 8, test_error));
    STATUS(KENTRO_STATUS_NOT_TRAINED, kentro_kmeans_offset(kmeans, &offset, &n, test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    OK(kentro_kmeans_inertia(kmeans, &inertia, test_error));
    CHECK(inertia == 0);
    OK(kentro_kmeans_labels(kmeans, &labels, &n, test_error));
    for (i = 0; i < 24; i++) CHECK(labels[i] == 7 - i % 8);
    OK(kentro_kmeans_cluster_sizes(kmeans, &sizes, &n, test_error));
    CHECK(n == 8);
    for (i = 0; i < 8; i++) CHECK(sizes[i] == 3);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_centroids_f64(kmeans, centroids, 7, test_error));
    DETAIL("there is room for 7 values, but 8 centroids x 1 dimensions need 8");
    OK(kentro_kmeans_centroids_f64(kmeans, centroids, 8, test_error));
    CHECK(memcmp(centroids, start, sizeof start) == 0);
    OK(kentro_kmeans_offset(kmeans, &offset, &n, test_error));
    CHECK(n == 1 && offset[0] == 1000000003);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);

    narrow = blobs(ROWS, COLS, CLUSTERS);
    kmeans = trained(narrow, ROWS, COLS, 2, 1);
    OK(kentro_kmeans_offset(kmeans, &offset, &n, test_error));
    CHECK(offset == NULL && n == 0);
    kentro_kmeans_free(kmeans);
    free(narrow);
}

static void cosine_ignores_the_length_of_rows(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS), *scaled = allocate(ROWS * COLS, sizeof *scaled);
    kentro_kmeans *plain, *longer;
    const float *centroids = NULL;
    const uint32_t *a = NULL, *b = NULL;
    size_t rows = 0, cols = 0, i;
    for (i = 0; i < ROWS * COLS; i++) /* by powers of two, so that nothing is rounded */
        scaled[i] = data[i] * (float)(1 << (i / COLS % 10));
    plain = trained(data, ROWS, COLS, CLUSTERS, 0);
    longer = trained(scaled, ROWS, COLS, CLUSTERS, 0);
    OK(kentro_kmeans_labels(plain, &a, &rows, test_error));
    OK(kentro_kmeans_labels(longer, &b, &rows, test_error));
    CHECK(memcmp(a, b, rows * sizeof *a) == 0);
    OK(kentro_kmeans_centroids(longer, &centroids, &rows, &cols, test_error));
    for (i = 0; i < rows; i++)
        CHECK(fabs(dot(centroids + i * cols, centroids + i * cols, cols) - 1) < 1e-6);
    kentro_kmeans_free(plain);
    kentro_kmeans_free(longer);
    free(scaled);
    free(data);
}

static void zero_rows_go_to_the_lowest_cluster_with_cosine(void)
{
    const float data[] = {0, 0, 3, 0, 2, 0, 0, 5, 0, 4, 0, 0};
    kentro_kmeans *kmeans = trained(data, 6, 2, 2, 0);
    const float zero[] = {0, 0};
    const float *centroids = NULL;
    const uint32_t *labels = NULL;
    size_t rows = 0, cols = 0, i;
    uint32_t label = 9;
    double distance = 9;
    OK(kentro_kmeans_predict_f32(kmeans, zero, 1, 2, 1, 1, NULL, &label, 1, &distance, 1, NULL,
                                 test_error));
    CHECK(label == 0 && distance == 1);
    OK(kentro_kmeans_labels(kmeans, &labels, &rows, test_error));
    CHECK(labels[0] == 0 && labels[5] == 0 && labels[1] == labels[2] && labels[3] == labels[4]);
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    for (i = 0; i < rows; i++)
        CHECK(centroids[2 * i] + centroids[2 * i + 1] == 1);
    kentro_kmeans_free(kmeans);
}

static void huge_values_and_offsets_are_exact(void)
{
    const float scales[] = {1e30f, 1e-20f, 1}, offsets[] = {0, 0, 1e4f};
    float *data = blobs(ROWS, COLS, 16);
    size_t kind, i;
    for (kind = 0; kind < 3; kind++) {
        float *moved = allocate(ROWS * COLS, sizeof *moved);
        uint32_t *labels = allocate(ROWS, sizeof *labels);
        kentro_kmeans *kmeans;
        double inertia = -1, distance;
        for (i = 0; i < ROWS * COLS; i++)
            moved[i] = data[i] * scales[kind] + offsets[kind];
        kmeans = trained(moved, ROWS, COLS, 8, 1);
        OK(kentro_kmeans_inertia(kmeans, &inertia, test_error));
        CHECK(isfinite(inertia) && inertia >= 0);
        OK(kentro_kmeans_predict_f32(kmeans, moved, ROWS, COLS, 1, 1, NULL, labels, ROWS, NULL, 0,
                                     NULL, test_error));
        for (i = 0; i < ROWS; i++)
            CHECK(labels[i] == nearest(kmeans, moved + i * COLS, &distance));
        kentro_kmeans_free(kmeans);
        free(labels);
        free(moved);
    }
    free(data);
}

static void identical_points_leave_empty_clusters_and_a_warning(void)
{
    const float data[] = {1, 2, 1, 2, 1, 2, 1, 2};
    int32_t euclidean;
    for (euclidean = 0; euclidean <= 1; euclidean++) {
        kentro_kmeans *kmeans = trained(data, 4, 2, 3, euclidean), *copy = NULL;
        kentro_clusters *clusters = NULL;
        const char *text = NULL;
        size_t count = 0;
        OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
        check_partition(clusters, 4, 3);
        OK(kentro_kmeans_n_warnings(kmeans, &count, test_error));
        CHECK(count == 1);
        OK(kentro_kmeans_warning(kmeans, 0, &text, test_error));
        STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_warning(kmeans, 1, &text, test_error));
        /* What is lent stays where it is while the handle lives. */
        OK(kentro_kmeans_set_seed(kmeans, 5, test_error));
        CHECK(text != NULL && strstr(text, "2 of 3 clusters are empty") != NULL);
        OK(kentro_kmeans_clone(kmeans, &copy, test_error));
        OK(kentro_kmeans_warning(copy, 0, &text, test_error));
        kentro_kmeans_free(kmeans);
        CHECK(strstr(text, "2 of 3 clusters are empty") != NULL);
        kentro_kmeans_free(copy);
        kentro_clusters_free(clusters);
    }
}

static void as_many_clusters_as_points(void)
{
    float *data = blobs(16, 4, 16);
    kentro_kmeans *kmeans = trained(data, 16, 4, 16, 1);
    double inertia = -1;
    kentro_clusters *clusters = NULL;
    const size_t *offsets = NULL;
    size_t len = 0, j;
    OK(kentro_kmeans_inertia(kmeans, &inertia, test_error));
    CHECK(inertia == 0);
    OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
    OK(kentro_clusters_offsets(clusters, &offsets, &len, test_error));
    for (j = 0; j < len; j++)
        CHECK(offsets[j] == j);
    kentro_clusters_free(clusters);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void results_are_lent_until_the_handle_is_freed(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = trained(data, ROWS, COLS, CLUSTERS, 1), *copy = NULL;
    const uint32_t *labels = NULL, *again = NULL;
    const float *centroids = NULL;
    const size_t *medoids = data ? (const size_t *)(const void *)data : NULL;
    size_t len = 0, rows = 0, cols = 0;
    float first;
    int32_t is_trained = 0;
    OK(kentro_kmeans_labels(kmeans, &labels, &len, test_error));
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    first = centroids[0];
    OK(kentro_kmeans_medoid_indices(kmeans, &medoids, &len, test_error));
    CHECK(medoids == NULL && len == 0); /* none without medoids */
    OK(kentro_kmeans_cluster_parents(kmeans, &again, &len, test_error));
    CHECK(again == NULL && len == 0); /* none without a tree */

    /* Setting up keeps the training, and so does a clone that outlives it. */
    OK(kentro_kmeans_set_iterations(kmeans, 7, test_error));
    OK(kentro_kmeans_labels(kmeans, &again, &len, test_error));
    CHECK(again == labels && centroids[0] == first);
    OK(kentro_kmeans_clone(kmeans, &copy, test_error));
    OK(kentro_kmeans_labels(copy, &again, &len, test_error));
    kentro_kmeans_free(kmeans);
    CHECK(again[0] == again[CLUSTERS] && len == ROWS);
    OK(kentro_kmeans_is_trained(copy, &is_trained, test_error));
    CHECK(is_trained == 1);
    kentro_kmeans_free(copy);
    free(data);
}

static void clones_are_independent(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1), *copy = NULL;
    size_t iterations = 0;
    int32_t flag = -1;
    OK(kentro_kmeans_set_iterations(kmeans, 3, test_error));
    OK(kentro_kmeans_clone(kmeans, &copy, test_error));
    OK(kentro_kmeans_set_iterations(copy, 9, test_error));
    OK(kentro_kmeans_iterations(kmeans, &iterations, test_error));
    CHECK(iterations == 3);
    OK(train_f32(copy, data, ROWS, COLS, 1, NULL, test_error));
    OK(kentro_kmeans_is_trained(kmeans, &flag, test_error));
    CHECK(flag == 0);
    OK(kentro_kmeans_is_euclidean(copy, &flag, test_error));
    CHECK(flag == 1);
    kentro_kmeans_free(kmeans);
    kentro_kmeans_free(copy);
    free(data);
}

static void a_tree_tells_the_parent_of_each_cluster(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = new_kmeans(20, 1);
    const uint32_t *parents = NULL;
    size_t len = 0, j, first = 0;
    int32_t init = -1;
    OK(kentro_kmeans_set_init(kmeans, KENTRO_INIT_TREE, test_error));
    OK(kentro_kmeans_init(kmeans, &init, test_error));
    CHECK(init == KENTRO_INIT_TREE);
    OK(train_f32(kmeans, data, ROWS, COLS, 1, NULL, test_error));
    OK(kentro_kmeans_cluster_parents(kmeans, &parents, &len, test_error));
    CHECK(len == 20);
    for (j = 0; j < len; j++) {
        CHECK(parents[j] < 7);
        first += parents[j] == 0;
    }
    CHECK(first > 0);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void every_setting_is_accepted(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    int32_t init, quality;
    for (init = KENTRO_INIT_AUTO; init <= KENTRO_INIT_TREE; init++) {
        if (init == KENTRO_INIT_CENTROIDS)
            continue;
        for (quality = KENTRO_QUALITY_FAST; quality <= KENTRO_QUALITY_BEST; quality++) {
            kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
            OK(kentro_kmeans_set_init(kmeans, init, test_error));
            OK(kentro_kmeans_set_quality(kmeans, quality, test_error));
            OK(kentro_kmeans_set_n_init(kmeans, 3, test_error));
            OK(kentro_kmeans_set_seed(kmeans, UINT64_MAX, test_error));
            OK(kentro_kmeans_set_tolerance(kmeans, 1e-4, test_error));
            OK(kentro_kmeans_set_memory_limit(kmeans, 1 << 20, test_error));
            OK(train_f32(kmeans, data, ROWS, COLS, 1, NULL, test_error));
            kentro_kmeans_free(kmeans);
        }
    }
    free(data);
}

static void balanced_sizes_keep_their_bound(void)
{
    const size_t bounds[] = {1, 5, 16};
    float *data = blobs(ROWS, COLS, 3);
    size_t kind, j, len = 0;
    for (kind = 0; kind < 3; kind++) {
        kentro_kmeans *kmeans = new_kmeans(7, 1);
        kentro_clusters *clusters = NULL;
        const size_t *members = NULL;
        size_t least = SIZE_MAX, most = 0;
        double gap = -1;
        OK(kentro_kmeans_set_balanced(kmeans, 1, test_error));
        OK(kentro_kmeans_set_max_balance_diff(kmeans, bounds[kind], test_error));
        OK(train_f32(kmeans, data, ROWS, COLS, 2, NULL, test_error));
        OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
        check_partition(clusters, ROWS, 7);
        for (j = 0; j < 7; j++) {
            OK(kentro_clusters_members(clusters, j, &members, &len, test_error));
            least = len < least ? len : least;
            most = len > most ? len : most;
        }
        CHECK(most - least <= bounds[kind]);
        OK(kentro_kmeans_balance_gap(kmeans, &gap, test_error));
        CHECK(gap >= 0 && gap <= 1e-6);
        kentro_clusters_free(clusters);
        kentro_kmeans_free(kmeans);
    }
    free(data);
}

static void sizes_lie_between_given_bounds(void)
{
    float *data = blobs(ROWS, COLS, 3);
    kentro_kmeans *kmeans = new_kmeans(7, 1);
    kentro_clusters *clusters = NULL;
    const size_t *members = NULL;
    size_t j, bound = 0, len = 0;
    int32_t balanced = 0;
    OK(kentro_kmeans_set_size_bounds(kmeans, ROWS / 7 + 1, ROWS, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           train_f32(kmeans, data, ROWS, COLS, 2, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "lower min_size") != NULL);
    OK(kentro_kmeans_set_size_bounds(kmeans, 0, ROWS / 7, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           train_f32(kmeans, data, ROWS, COLS, 2, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "raise max_size") != NULL);

    OK(kentro_kmeans_set_size_bounds(kmeans, 100, 140, test_error));
    OK(kentro_kmeans_is_balanced(kmeans, &balanced, test_error));
    CHECK(balanced == 1);
    OK(kentro_kmeans_min_size(kmeans, &bound, test_error));
    CHECK(bound == 100);
    OK(kentro_kmeans_max_size(kmeans, &bound, test_error));
    CHECK(bound == 140);
    OK(train_f32(kmeans, data, ROWS, COLS, 2, NULL, test_error));
    OK(kentro_kmeans_clusters(kmeans, &clusters, test_error));
    check_partition(clusters, ROWS, 7);
    for (j = 0; j < 7; j++) {
        OK(kentro_clusters_members(clusters, j, &members, &len, test_error));
        CHECK(len >= 100 && len <= 140);
    }
    kentro_clusters_free(clusters);
    kentro_kmeans_free(kmeans);
    free(data);
}

/* Data that changes during training, which nobody should do. */
struct changing {
    float *data;
    float value;
    int32_t calls;
};

static int32_t overwrite(const kentro_progress *now, void *user_data)
{
    struct changing *changing = user_data;
    size_t i;
    (void)now;
    if (changing->calls++ > 0)
        for (i = 0; i < ROWS * COLS; i += 1 + i % 3)
            changing->data[i] = i % 2 ? changing->value : -changing->value;
    return 0;
}

static void data_that_changes_is_named_or_clustered(void)
{
    const float values[] = {NAN, INFINITY, 1e30f, 7.0f};
    size_t kind;
    int32_t medoids;
    for (kind = 0; kind < 4; kind++)
        for (medoids = 0; medoids <= 1; medoids++) {
            struct changing changing = {NULL, 0, 0};
            kentro_kmeans *kmeans = new_kmeans(7, 1);
            kentro_observer observer;
            kentro_status status;
            changing.data = blobs(ROWS, COLS, 3);
            changing.value = values[kind];
            OK(kentro_kmeans_set_balanced(kmeans, 1, test_error));
            OK(kentro_kmeans_set_max_balance_diff(kmeans, 1, test_error));
            OK(kentro_kmeans_set_use_medoids(kmeans, medoids, test_error));
            OK(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_FAST, test_error));
            memset(&observer, 0, sizeof observer);
            observer.size = sizeof observer;
            observer.progress = overwrite;
            observer.user_data = &changing;
            status = train_f32(kmeans, changing.data, ROWS, COLS, 1, &observer,
                                             test_error);
            if (status == KENTRO_STATUS_INVALID_DATA)
                CHECK(strstr(kentro_error_message(test_error), "changed while it was being clustered"));
            else
                CHECK(status == KENTRO_STATUS_OK && kind >= 2);
            kentro_kmeans_free(kmeans);
            free(changing.data);
        }
}

/* Two blobs of 700 and 200 points: the learnt prices send points of the larger
 * one to the smaller one's cluster, where the nearest centroid does not. */
static void balanced_models_predict_by_their_prices(void)
{
    float line[ROWS];
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    kentro_points *points = NULL;
    uint32_t labels[ROWS];
    double distances[ROWS];
    const float *centroids = NULL;
    size_t sizes[2] = {0, 0}, rows = 0, cols = 0, i;
    for (i = 0; i < ROWS; i++)
        line[i] = i < 700 ? (float)i / 700 : 2 + (float)(i - 700) / 200;
    OK(kentro_kmeans_set_balanced(kmeans, 1, test_error));
    OK(kentro_kmeans_set_max_balance_diff(kmeans, 10, test_error));
    OK(kentro_points_new_f32(line, ROWS, 1, &points, test_error));
    STATUS(KENTRO_STATUS_NOT_TRAINED,
           kentro_kmeans_predict_balanced(kmeans, points, 1, NULL, labels, ROWS, NULL, 0,
                                          test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    OK(kentro_kmeans_predict_balanced(kmeans, points, 2, NULL, labels, ROWS, distances, ROWS,
                                      test_error));
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    for (i = 0; i < ROWS; i++) {
        double distance = squared_distance(line + i, centroids + labels[i], 1);
        CHECK(fabs(distances[i] - distance) <= 1e-9 * (1 + distance));
        sizes[labels[i]]++;
    }
    CHECK(sizes[0] + 12 >= sizes[1] && sizes[1] + 12 >= sizes[0]);
    kentro_kmeans_free(kmeans);

    kmeans = trained(line, ROWS, 1, 2, 1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_predict_balanced(kmeans, points, 1, NULL, labels, ROWS, NULL, 0,
                                          test_error));
    OK(kentro_kmeans_balance_gap(kmeans, distances, test_error));
    CHECK(isnan(distances[0]));
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

/* What the caller's buffer held before has no influence. */
static void outputs_need_not_be_initialised(void)
{
    enum { WIDE = 64, MANY = 520 };
    float *data = blobs(ROWS, WIDE, 16);
    kentro_kmeans *kmeans = new_kmeans(MANY, 1);
    kentro_points *points = NULL;
    uint32_t clean[ROWS], dirty[ROWS];
    memset(clean, 0xff, sizeof clean);
    OK(kentro_kmeans_set_balanced(kmeans, 1, test_error));
    OK(kentro_kmeans_set_iterations(kmeans, 2, test_error));
    OK(kentro_points_new_f32(data, ROWS, WIDE, &points, test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    OK(kentro_kmeans_predict(kmeans, points, 1, 1, NULL, clean, ROWS, NULL, 0, NULL, test_error));
    memset(dirty, 0x77, sizeof dirty);
    OK(kentro_kmeans_predict(kmeans, points, 1, 1, NULL, dirty, ROWS, NULL, 0, NULL, test_error));
    CHECK(memcmp(clean, dirty, sizeof clean) == 0);
    OK(kentro_kmeans_predict_balanced(kmeans, points, 1, NULL, clean, ROWS, NULL, 0, test_error));
    memset(dirty, 0x77, sizeof dirty);
    OK(kentro_kmeans_predict_balanced(kmeans, points, 1, NULL, dirty, ROWS, NULL, 0, test_error));
    CHECK(memcmp(clean, dirty, sizeof clean) == 0);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
    free(data);
}

/* The sum of distances of all rows to the nearest of these rows. */
static double loss(const float *data, const size_t *medoids)
{
    double sum = 0;
    size_t i, j;
    for (i = 0; i < ROWS; i++) {
        double least = INFINITY;
        for (j = 0; j < CLUSTERS; j++) {
            const float *medoid = data + medoids[j] * COLS;
            double distance = sqrt(squared_distance(data + i * COLS, medoid, COLS));
            least = distance < least ? distance : least;
        }
        sum += least;
    }
    return sum;
}

static void medoids_are_rows_and_none_can_be_bettered(void)
{
    float *data = blobs(ROWS, COLS, CLUSTERS);
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    const size_t *medoids = NULL;
    const float *centroids = NULL;
    const uint32_t *labels = NULL;
    size_t n_medoids = 0, rows = 0, cols = 0, i, j;
    const char *info = "";
    double inertia = 0, least;
    OK(kentro_kmeans_set_use_medoids(kmeans, 1, test_error));
    OK(train_f32(kmeans, data, ROWS, COLS, 2, NULL, test_error));
    OK(kentro_kmeans_medoid_indices(kmeans, &medoids, &n_medoids, test_error));
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    OK(kentro_kmeans_labels(kmeans, &labels, &rows, test_error));
    OK(kentro_kmeans_inertia(kmeans, &inertia, test_error));
    OK(kentro_kmeans_info(kmeans, &info, test_error));
    CHECK(strlen(info) > 0);
    CHECK(n_medoids == CLUSTERS);
    least = loss(data, medoids);
    CHECK(fabs(inertia - least) <= 1e-6 * least);
    for (j = 0; j < n_medoids; j++) {
        size_t swapped[CLUSTERS];
        CHECK(labels[medoids[j]] == j);
        CHECK(memcmp(centroids + j * cols, data + medoids[j] * COLS, COLS * sizeof *data) == 0);
        memcpy(swapped, medoids, sizeof swapped);
        for (i = 0; i < ROWS; i += 7) {
            swapped[j] = i;
            CHECK(loss(data, swapped) >= least * (1 - 1e-9));
        }
    }
    kentro_kmeans_free(kmeans);
    free(data);
}

int main(void)
{
    RUN(finds_separate_blobs);
    RUN(assigning_the_training_data_gives_its_partition);
    RUN(assigns_to_several_clusters);
    RUN(assigns_no_points);
    RUN(predicts_into_the_callers_buffers);
    RUN(starts_from_given_centroids);
    RUN(distances_to_all_centroids_and_a_score);
    RUN(wide_numbers_keep_what_tells_them_apart);
    RUN(cosine_ignores_the_length_of_rows);
    RUN(zero_rows_go_to_the_lowest_cluster_with_cosine);
    RUN(huge_values_and_offsets_are_exact);
    RUN(identical_points_leave_empty_clusters_and_a_warning);
    RUN(as_many_clusters_as_points);
    RUN(results_are_lent_until_the_handle_is_freed);
    RUN(clones_are_independent);
    RUN(a_tree_tells_the_parent_of_each_cluster);
    RUN(every_setting_is_accepted);
    RUN(balanced_sizes_keep_their_bound);
    RUN(sizes_lie_between_given_bounds);
    RUN(data_that_changes_is_named_or_clustered);
    RUN(outputs_need_not_be_initialised);
    RUN(balanced_models_predict_by_their_prices);
    RUN(medoids_are_rows_and_none_can_be_bettered);
    return finish();
}
