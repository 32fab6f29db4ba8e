/* Models in files and in memory, models of given centroids, and settings as
 * they are. */

#include "test.h"

#include <errno.h>

enum { ROWS = 400, COLS = 5, CLUSTERS = 6 };

static const char *const PATH = "target/tmp/c-model.safetensors";

static kentro_kmeans *trained(int32_t euclidean, int32_t balanced, int32_t medoids)
{
    float *data = blobs(ROWS, COLS, 9);
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, euclidean);
    OK(kentro_kmeans_set_balanced(kmeans, balanced, test_error));
    OK(kentro_kmeans_set_use_medoids(kmeans, medoids, test_error));
    OK(train_f32(kmeans, data, ROWS, COLS, 1, NULL, test_error));
    free(data);
    return kmeans;
}

static unsigned char *serialized(const kentro_kmeans *kmeans, int32_t labels, size_t *out_size)
{
    unsigned char *bytes;
    size_t size = 0;
    OK(kentro_kmeans_serialized_size(kmeans, labels, &size, test_error));
    bytes = allocate(size, 1);
    OK(kentro_kmeans_serialize(kmeans, labels, bytes, size, out_size, test_error));
    CHECK(*out_size == size);
    return bytes;
}

/* Both give the same bytes, so they are the same model. */
static int same(const kentro_kmeans *a, const kentro_kmeans *b)
{
    size_t m = 0, n = 0;
    unsigned char *x = serialized(a, 1, &m), *y = serialized(b, 1, &n);
    int is_same = m == n && memcmp(x, y, m) == 0;
    free(x);
    free(y);
    return is_same;
}

/* Both give the same nearest clusters and distances. */
static void predict_alike(const kentro_kmeans *a, const kentro_kmeans *b)
{
    float *data = blobs(ROWS, COLS, 7);
    uint32_t *labels = allocate(2 * ROWS, sizeof *labels);
    double *distances = allocate(2 * ROWS, sizeof *distances);
    kentro_points *points = NULL;
    OK(kentro_points_new_f32(data, ROWS, COLS, &points, test_error));
    OK(kentro_kmeans_predict(a, points, 1, 1, NULL, labels, ROWS, distances, ROWS, NULL,
                             test_error));
    OK(kentro_kmeans_predict(b, points, 1, 1, NULL, labels + ROWS, ROWS, distances + ROWS, ROWS,
                             NULL, test_error));
    CHECK(memcmp(labels, labels + ROWS, ROWS * sizeof *labels) == 0);
    CHECK(memcmp(distances, distances + ROWS, ROWS * sizeof *distances) == 0);
    kentro_points_free(points);
    free(distances);
    free(labels);
    free(data);
}

static void models_of_every_kind_come_back(void)
{
    int32_t kind;
    for (kind = 0; kind < 8; kind++) {
        kentro_kmeans *kmeans = trained(kind & 1, kind >> 1 & 1, kind >> 2);
        kentro_kmeans *loaded = NULL;
        kentro_clusters *clusters = NULL;
        OK(kentro_kmeans_save(kmeans, PATH, 1, test_error));
        OK(kentro_kmeans_load(PATH, &loaded, test_error));
        CHECK(same(kmeans, loaded));
        predict_alike(kmeans, loaded);
        OK(kentro_kmeans_clusters(loaded, &clusters, test_error));
        STATUS(KENTRO_STATUS_ALREADY_TRAINED,
               train_f32(loaded, NULL, 0, 1, 1, NULL, test_error));
        kentro_clusters_free(clusters);
        kentro_kmeans_free(loaded);
        kentro_kmeans_free(kmeans);
    }
    CHECK(remove(PATH) == 0);
}

static void labels_may_be_left_out(void)
{
    kentro_kmeans *kmeans = trained(1, 0, 0), *loaded = NULL;
    const uint32_t *labels = (const uint32_t *)kmeans;
    kentro_clusters *clusters = NULL;
    size_t whole = 0, size = 0, len = 1, n_points = 0;
    unsigned char *bytes = serialized(kmeans, 0, &size);
    OK(kentro_kmeans_serialized_size(kmeans, 1, &whole, test_error));
    CHECK(whole > size + ROWS * sizeof *labels);
    OK(kentro_kmeans_deserialize(bytes, size, &loaded, test_error));
    free(bytes);
    OK(kentro_kmeans_labels(loaded, &labels, &len, test_error));
    CHECK(labels == NULL && len == 0);
    OK(kentro_kmeans_n_points(loaded, &n_points, test_error));
    CHECK(n_points == ROWS);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_clusters(loaded, &clusters, test_error));
    DETAIL("the model has no labels: it was saved without them, made of centroids, or trained "
           "block by block; predict the points again");
    predict_alike(kmeans, loaded);
    kentro_kmeans_free(loaded);
    kentro_kmeans_free(kmeans);
}

static void what_cannot_be_is_an_error(void)
{
    kentro_kmeans *kmeans = trained(1, 0, 0), *loaded = NULL;
    size_t size = 0, i;
    unsigned char *bytes = serialized(kmeans, 1, &size);
    char digits[16] = "";
    STATUS(KENTRO_STATUS_IO, kentro_kmeans_load("no/such/file", &loaded, test_error));
    CHECK(kentro_error_os_code(test_error) == ENOENT);
    DETAIL("no/such/file: No such file or directory (os error 2)");
    STATUS(KENTRO_STATUS_IO, kentro_kmeans_save(kmeans, "no/such/file", 1, test_error));
    CHECK(kentro_error_os_code(test_error) == ENOENT);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_kmeans_save(kmeans, PATH, 2, test_error));
    CHECK(kentro_error_os_code(test_error) == 0);
    DETAIL("labels must be 0 or 1, got 2");
    CHECK(kentro_error_os_code(NULL) == 0);
    for (i = 0; i < size; i += 7) {
        STATUS(KENTRO_STATUS_INVALID_FILE,
               kentro_kmeans_deserialize(bytes, i, &loaded, test_error));
        bytes[i] ^= 0x10;
        CHECK(kentro_kmeans_deserialize(bytes, size, &loaded, NULL) != KENTRO_STATUS_OK);
        bytes[i] ^= 0x10;
    }
    sprintf(digits, "%u", (unsigned)size - 1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_serialize(kmeans, 1, bytes, size - 1, &i, test_error));
    CHECK(strstr(kentro_error_message(test_error), digits) != NULL);
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_serialize(kmeans, 1, NULL, size, &i, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_save(kmeans, NULL, 1, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_load(NULL, &loaded, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_load(PATH, NULL, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_deserialize(NULL, 1, &loaded, test_error));
    STATUS(KENTRO_STATUS_INVALID_FILE,
           kentro_kmeans_deserialize(NULL, 0, &loaded, test_error));
    CHECK(loaded == NULL);
    free(bytes);
    kentro_kmeans_free(kmeans);
}

static void given_centroids_make_a_model(void)
{
    kentro_kmeans *kmeans = trained(1, 1, 0), *given = NULL, *loaded = NULL;
    const float *centroids = NULL;
    const double *prices = NULL;
    const float infinite[] = {1, 2, INFINITY, 4};
    const uint32_t *labels = NULL;
    const size_t *medoids = NULL;
    double wrong[CLUSTERS] = {0}, inertia = 0, offset[COLS] = {4e9}, digits[CLUSTERS * COLS];
    size_t rows = 0, cols = 0, len = 0, size = 0, n_iter = 1;
    kentro_points *points = NULL;
    unsigned char *bytes;
    int32_t i;
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    OK(kentro_kmeans_prices(kmeans, &prices, &len, test_error));
    CHECK(len == CLUSTERS);
    OK(kentro_points_new_f32(centroids, rows, cols, &points, test_error));
    OK(kentro_kmeans_from_centroids(points, 1, prices, CLUSTERS, &given, test_error));
    predict_alike(kmeans, given);
    OK(kentro_kmeans_labels(given, &labels, &len, test_error));
    CHECK(labels == NULL && len == 0);
    OK(kentro_kmeans_medoid_indices(given, &medoids, &len, test_error));
    CHECK(medoids == NULL && len == 0);
    OK(kentro_kmeans_inertia(given, &inertia, test_error));
    CHECK(isnan(inertia));
    OK(kentro_kmeans_n_iter(given, &n_iter, test_error));
    CHECK(n_iter == 0);
    OK(kentro_kmeans_n_points(given, &len, test_error));
    CHECK(len == 0);
    OK(kentro_kmeans_n_dimensions(given, &len, test_error));
    CHECK(len == COLS);
    bytes = serialized(given, 1, &size);
    OK(kentro_kmeans_deserialize(bytes, size, &loaded, test_error));
    CHECK(same(given, loaded));
    free(bytes);
    kentro_kmeans_free(loaded);
    kentro_kmeans_free(given);

    OK(kentro_kmeans_from_centroids_less(centroids, rows, cols, offset, &given, test_error));
    OK(kentro_kmeans_centroids_f64(given, digits, CLUSTERS * COLS, test_error));
    CHECK(digits[0] == centroids[0] + 4e9 && digits[COLS + 1] == centroids[COLS + 1]);
    kentro_kmeans_free(given);
    offset[1] = INFINITY;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_from_centroids_less(centroids, rows, cols, offset, &given, test_error));
    DETAIL("offset 1 is inf; every offset must be finite");
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_from_centroids_less(centroids, rows, cols, NULL, &given, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_from_centroids_less(centroids, 0, cols, offset, &given, test_error));

    wrong[2] = NAN;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_from_centroids(points, 1, wrong, CLUSTERS, &given, test_error));
    DETAIL("price 2 is NaN; every price must be finite");
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_from_centroids(points, 1, wrong, 2, &given, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_from_centroids(points, 1, NULL, CLUSTERS, &given, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_from_centroids(points, 1, wrong, SIZE_MAX, &given, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_from_centroids(NULL, 1, NULL, 0, &given, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_from_centroids(points, 3, NULL, 0, &given, test_error));
    kentro_points_free(points);
    OK(kentro_points_new_f32(infinite, 2, 2, &points, test_error));
    for (i = 0; i < 2; i++) {
        STATUS(KENTRO_STATUS_NOT_FINITE,
               kentro_kmeans_from_centroids(points, i, NULL, 0, &given, test_error));
        CHECK(kentro_error_row(test_error) == 1 && kentro_error_column(test_error) == 0);
    }
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

static void settings_are_read_back(void)
{
    kentro_kmeans *kmeans = new_kmeans(3, 1), *copy = NULL;
    char text[1024];
    uint64_t seed = 1, limit = 1;
    double tolerance = 1, given[3] = {-1, -1, -1};
    int32_t init = -1, quality = -1, is_set = -1, trained = -1;
    size_t n_init = 0, len = 0, rows = 0;
    const float four[] = {0, 0, 1, 0, 10, 0, 11, 0};

    OK(kentro_kmeans_memory_limit(kmeans, &limit, &is_set, test_error));
    CHECK(limit == 0 && !is_set);
    OK(kentro_kmeans_set_seed(kmeans, 7, test_error));
    OK(kentro_kmeans_set_tolerance(kmeans, 0.001, test_error));
    OK(kentro_kmeans_set_init(kmeans, KENTRO_INIT_RANDOM, test_error));
    OK(kentro_kmeans_set_n_init(kmeans, 2, test_error));
    OK(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_FAST, test_error));
    OK(kentro_kmeans_set_memory_limit(kmeans, 1000000, test_error));
    OK(train_f32(kmeans, four, 4, 2, 1, NULL, test_error));
    OK(kentro_kmeans_set_iterations(kmeans, 3, test_error));
    OK(kentro_kmeans_clone_untrained(kmeans, &copy, test_error));

    OK(kentro_kmeans_seed(copy, &seed, test_error));
    OK(kentro_kmeans_tolerance(copy, &tolerance, test_error));
    OK(kentro_kmeans_init(copy, &init, test_error));
    OK(kentro_kmeans_n_init(copy, &n_init, test_error));
    OK(kentro_kmeans_quality(copy, &quality, test_error));
    OK(kentro_kmeans_memory_limit(copy, &limit, &is_set, test_error));
    OK(kentro_kmeans_is_trained(copy, &trained, test_error));
    CHECK(seed == 7 && tolerance == 0.001 && init == KENTRO_INIT_RANDOM && n_init == 2);
    CHECK(quality == KENTRO_QUALITY_FAST && limit == 1000000 && is_set == 1 && !trained);
    STATUS(KENTRO_STATUS_NOT_TRAINED, kentro_kmeans_n_dimensions(copy, &rows, test_error));
    OK(train_f32(copy, four, 4, 2, 1, NULL, test_error));

    OK(kentro_kmeans_describe(copy, text, sizeof text, &len, test_error));
    CHECK(!strcmp(text, "KMeans(n_clusters=3, iterations=3, euclidean=true, balanced=false, "
                        "use_medoids=false, trained=true, seed=7, tolerance=0.001, "
                        "init=random, n_init=2, quality=fast, memory_limit=1000000)"));
    CHECK(len == strlen(text));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_describe(copy, text, len, &len, test_error));
    OK(kentro_kmeans_init_centroids(copy, NULL, 0, &rows, &len, test_error));
    CHECK(rows == 0 && len == 0);
    OK(kentro_kmeans_set_init_centroids(copy, four, KENTRO_DTYPE_F32, 3, 1, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_init_centroids(copy, given, 2, &rows, &len, test_error));
    DETAIL("capacity is 2, but there are 3 x 1 values");
    OK(kentro_kmeans_init_centroids(copy, given, 3, &rows, &len, test_error));
    CHECK(rows == 3 && len == 1 && given[0] == 0 && given[1] == 0 && given[2] == 1);
    kentro_kmeans_free(copy);
    kentro_kmeans_free(kmeans);
}

int main(void)
{
    RUN(models_of_every_kind_come_back);
    RUN(labels_may_be_left_out);
    RUN(what_cannot_be_is_an_error);
    RUN(given_centroids_make_a_model);
    RUN(settings_are_read_back);
    return finish();
}
