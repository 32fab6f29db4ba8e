/* Rows that come block by block from callbacks. */

#include "test.h"

enum { ROWS = 900, COLS = 4, CLUSTERS = 9, BLOCK = 170 };

/* Rows of an array, some at a time. */
struct reader {
    const float *data;
    size_t next, rows;
    kentro_points *points;
    int passes, fails_in_pass;
};

static int32_t rewind_reader(void *user_data)
{
    struct reader *reader = user_data;
    reader->next = 0;
    reader->passes++;
    return 0;
}

static int32_t next_block(const kentro_points **out_points, void *user_data)
{
    struct reader *reader = user_data;
    size_t rows = reader->rows - reader->next;
    if (rows > BLOCK)
        rows = BLOCK;
    if (reader->passes == reader->fails_in_pass && reader->next > 0)
        return 7;
    kentro_points_free(reader->points);
    reader->points = NULL;
    if (rows > 0
        && kentro_points_new_f32(reader->data + reader->next * COLS, rows, COLS, &reader->points,
                                 NULL) != KENTRO_STATUS_OK)
        return 1;
    reader->next += rows;
    *out_points = reader->points;
    return 0;
}

static const char *message(void *user_data)
{
    (void)user_data;
    return "the tape is torn";
}

static struct reader reader_of(const float *data)
{
    struct reader reader;
    memset(&reader, 0, sizeof reader);
    reader.data = data;
    reader.rows = ROWS;
    return reader;
}

static kentro_source source_of(struct reader *reader)
{
    kentro_source source;
    memset(&source, 0, sizeof source);
    source.size = sizeof source;
    source.rewind = rewind_reader;
    source.next = next_block;
    source.user_data = reader;
    return source;
}

static kentro_kmeans *fast_model(void)
{
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    OK(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_FAST, test_error));
    return kmeans;
}

struct collected {
    uint32_t labels[ROWS];
    size_t rows;
    int fails;
};

static int32_t collect(const uint32_t *labels, size_t rows, void *user_data)
{
    struct collected *collected = user_data;
    memcpy(collected->labels + collected->rows, labels, rows * sizeof *labels);
    collected->rows += rows;
    return collected->fails;
}

static void a_source_trains_like_an_array(void)
{
    float *data = blobs(ROWS, COLS, 5);
    struct reader reader = reader_of(data);
    kentro_source source = source_of(&reader);
    kentro_kmeans *together = fast_model(), *streamed = fast_model();
    const float *expected = NULL, *found = NULL;
    const uint32_t *labels = NULL;
    size_t k = 0, d = 0, len = 0;
    struct collected collected;
    memset(&collected, 0, sizeof collected);
    OK(train_f32(together, data, ROWS, COLS, 2, NULL, test_error));
    OK(kentro_kmeans_train_source(streamed, &source, 2, NULL, test_error));
    OK(kentro_kmeans_centroids(together, &expected, &k, &d, test_error));
    OK(kentro_kmeans_centroids(streamed, &found, &k, &d, test_error));
    CHECK(k == CLUSTERS && d == COLS);
    CHECK(memcmp(expected, found, k * d * sizeof *found) == 0);
    OK(kentro_kmeans_labels(together, &labels, &len, test_error));
    OK(kentro_kmeans_predict_source(streamed, &source, collect, &collected, 1, NULL, test_error));
    CHECK(len == ROWS && collected.rows == ROWS);
    CHECK(memcmp(labels, collected.labels, sizeof collected.labels) == 0);
    collected.rows = 0;
    collected.fails = 3;
    STATUS(KENTRO_STATUS_SOURCE, kentro_kmeans_predict_source(streamed, &source, collect,
                                                              &collected, 1, NULL, test_error));
    DETAIL("The source failed: labels returned 3");
    kentro_kmeans_free(together);
    kentro_kmeans_free(streamed);
    kentro_points_free(reader.points);
    free(data);
}

static void a_source_that_fails_leaves_the_model(void)
{
    float *data = blobs(ROWS, COLS, 5);
    struct reader reader = reader_of(data);
    kentro_source source = source_of(&reader);
    kentro_kmeans *kmeans = fast_model();
    int32_t trained = 1;
    reader.fails_in_pass = 4;
    STATUS(KENTRO_STATUS_SOURCE, kentro_kmeans_train_source(kmeans, &source, 1, NULL, test_error));
    DETAIL("The source failed: its next returned 7");
    source.message = message;
    reader.passes = 0;
    STATUS(KENTRO_STATUS_SOURCE, kentro_kmeans_train_source(kmeans, &source, 1, NULL, test_error));
    DETAIL("The source failed: the tape is torn");
    OK(kentro_kmeans_is_trained(kmeans, &trained, test_error));
    CHECK(trained == 0);
    reader.fails_in_pass = 0;
    OK(kentro_kmeans_train_source(kmeans, &source, 1, NULL, test_error));
    kentro_kmeans_free(kmeans);
    kentro_points_free(reader.points);
    free(data);
}

static void what_no_source_is(void)
{
    float *data = blobs(ROWS, COLS, 5);
    struct reader reader = reader_of(data);
    kentro_source source = source_of(&reader);
    kentro_kmeans *kmeans = fast_model();
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_train_source(kmeans, NULL, 1, NULL, test_error));
    source.next = NULL;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_train_source(kmeans, &source, 1, NULL, test_error));
    DETAIL("source->rewind and source->next must be set");
    source.size = 0;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_train_source(kmeans, &source, 1, NULL, test_error));
    DETAIL("source->size is not set; set it to sizeof(kentro_source)");
    source = source_of(&reader);
    STATUS(KENTRO_STATUS_NOT_TRAINED, kentro_kmeans_predict_source(kmeans, &source, collect, NULL,
                                                                   1, NULL, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_kmeans_predict_source(kmeans, &source, NULL, NULL, 1,
                                                                    NULL, test_error));
    OK(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_BEST, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_train_source(kmeans, &source, 1, NULL, test_error));
    kentro_kmeans_free(kmeans);
    kentro_points_free(reader.points);
    free(data);
}

int main(void)
{
    RUN(a_source_trains_like_an_array);
    RUN(a_source_that_fails_leaves_the_model);
    RUN(what_no_source_is);
    return finish();
}
