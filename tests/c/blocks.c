/* Blocks of rows that remember, and partials that merge. */

#include "test.h"

enum { ROWS = 600, COLS = 4, CLUSTERS = 9, PARTS = 3 };

static kentro_block *block_of(const float *data, size_t rows)
{
    kentro_points *points = NULL;
    kentro_block *block = NULL;
    size_t count = 0;
    OK(kentro_points_new_f32(data, rows, COLS, &points, test_error));
    OK(kentro_block_new(points, 1, &block, test_error));
    kentro_points_free(points); /* the block has a view of its own */
    OK(kentro_block_rows(block, &count, test_error));
    CHECK(count == rows);
    return block;
}

static kentro_partial *partial_of(kentro_block *block, const float *centroids)
{
    kentro_partial *partial = NULL;
    OK(kentro_block_partial(block, centroids, CLUSTERS, COLS, 2, NULL, &partial, test_error));
    return partial;
}

/* The same partial, by way of its bytes. */
static kentro_partial *sent(kentro_partial *partial)
{
    kentro_partial *received = NULL;
    unsigned char *bytes;
    size_t size = 0, written = 0;
    OK(kentro_partial_serialized_size(partial, &size, test_error));
    bytes = allocate(size, 1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_partial_serialize(partial, bytes, size - 1, &written, test_error));
    OK(kentro_partial_serialize(partial, bytes, size, &written, test_error));
    CHECK(written == size);
    STATUS(KENTRO_STATUS_INVALID_FILE,
           kentro_partial_deserialize(bytes, size - 1, &received, test_error));
    OK(kentro_partial_deserialize(bytes, size, &received, test_error));
    free(bytes);
    kentro_partial_free(partial);
    return received;
}

static void the_loop_gives_the_centroids_of_training(void)
{
    float *data = blobs(ROWS, COLS, 5);
    float centroids[CLUSTERS * COLS];
    const float *trained = NULL;
    kentro_block *blocks[PARTS];
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    size_t rows = ROWS / PARTS, k = 0, d = 0, part;
    int32_t converged = 0;
    int iteration;
    memcpy(centroids, data, sizeof centroids);
    for (part = 0; part < PARTS; part++)
        blocks[part] = block_of(data + part * rows * COLS, rows);
    for (iteration = 0; iteration < 50 && !converged; iteration++) {
        kentro_partial *all = sent(partial_of(blocks[PARTS - 1], centroids));
        for (part = 0; part < PARTS - 1; part++) {
            kentro_partial *one = partial_of(blocks[part], centroids);
            OK(kentro_partial_merge(all, one, test_error));
            kentro_partial_free(one);
        }
        OK(kentro_partial_finalize(all, centroids, centroids, CLUSTERS * COLS, &converged,
                                   test_error));
        kentro_partial_free(all);
    }
    CHECK(converged == 1);

    OK(kentro_kmeans_set_iterations(kmeans, 50, test_error));
    OK(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_FAST, test_error));
    OK(kentro_kmeans_set_init_centroids(kmeans, data, KENTRO_DTYPE_F32, CLUSTERS, COLS,
                                        test_error));
    OK(train_f32(kmeans, data, ROWS, COLS, 1, NULL, test_error));
    OK(kentro_kmeans_centroids(kmeans, &trained, &k, &d, test_error));
    CHECK(k == CLUSTERS && d == COLS && memcmp(trained, centroids, sizeof centroids) == 0);
    for (part = 0; part < PARTS; part++)
        kentro_block_free(blocks[part]);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void partials_tell_what_rows_come_to(void)
{
    static const float data[] = {0, 1, 8, 9, 10, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
    static const float centroids[] = {0, 1, 8, 9, 0, 0, 0, 0};
    const uint64_t *sizes = NULL;
    uint32_t labels[4];
    float next[8];
    double inertia = -1;
    int64_t changed = 7;
    size_t k = 0, d = 0, len = 0;
    kentro_points *points = NULL;
    kentro_block *block = NULL;
    kentro_partial *partial = NULL;
    OK(kentro_points_new_f32(data, 4, 4, &points, test_error));
    OK(kentro_block_new(points, 1, &block, test_error));
    kentro_points_free(points);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_block_labels(block, labels, 4, test_error));
    OK(kentro_block_partial(block, centroids, 2, 4, 1, NULL, &partial, test_error));
    OK(kentro_partial_shape(partial, &k, &d, test_error));
    OK(kentro_partial_cluster_sizes(partial, &sizes, &len, test_error));
    CHECK(k == 2 && d == 4 && len == 2 && sizes[0] == 1 && sizes[1] == 3);
    OK(kentro_partial_inertia(partial, &inertia, test_error));
    CHECK(inertia == 103 + 2);
    OK(kentro_partial_changed(partial, &changed, test_error));
    CHECK(changed == -1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_block_labels(block, labels, 3, test_error));
    OK(kentro_block_labels(block, labels, 4, test_error));
    CHECK(labels[0] == 0 && labels[1] == 1 && labels[2] == 1 && labels[3] == 1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_partial_merge(partial, partial, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_partial_finalize(partial, centroids, next, 7, NULL, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_partial_finalize(partial, data, next, 8, NULL, test_error));
    kentro_partial_free(partial);
    OK(kentro_block_forget(block, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_block_labels(block, labels, 4, test_error));
    STATUS(KENTRO_STATUS_DIMENSION_MISMATCH,
           kentro_block_partial(block, centroids, 4, 2, 1, NULL, &partial, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_block_partial(NULL, centroids, 2, 4, 1, NULL, &partial, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_block_partial(block, centroids, (size_t)-1, 4, 1, NULL, &partial, test_error));
    kentro_block_free(block);
    kentro_block_free(NULL);
    kentro_partial_free(NULL);
}

static void blocks_with_the_ranges_of_all_lose_an_offset(void)
{
    static const double data[] = {4e9 + 1, -7, 4e9 + 3, 8, 4e9 + 11, 0, 4e9 + 5, 1};
    static const float centroids[] = {-5, -7, 5, 0};
    double all[4], ranges[4], offset[2] = {7, 7};
    float next[4];
    kentro_block *blocks[2] = {NULL, NULL};
    kentro_partial *partials[2] = {NULL, NULL};
    size_t part, column;
    for (part = 0; part < 2; part++) {
        kentro_points *points = NULL;
        OK(kentro_points_new(data + 4 * part, 2, 2, 16, 8, KENTRO_DTYPE_F64, &points,
                             test_error));
        OK(kentro_block_new(points, 1, &blocks[part], test_error));
        kentro_points_free(points);
    }
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_block_ranges(blocks[0], 1, NULL, all, 3, test_error));
    OK(kentro_block_ranges(blocks[0], 1, NULL, all, 4, test_error));
    CHECK(all[0] == 4e9 + 1 && all[1] == -7 && all[2] == 4e9 + 3 && all[3] == 8);
    OK(kentro_block_ranges(blocks[1], 1, NULL, ranges, 4, test_error));
    for (column = 0; column < 2; column++) {
        all[column] = ranges[column] < all[column] ? ranges[column] : all[column];
        all[2 + column] = ranges[2 + column] > all[2 + column] ? ranges[2 + column]
                                                              : all[2 + column];
    }
    OK(kentro_block_offset(blocks[0], offset, 2, test_error));
    CHECK(offset[0] == 0 && offset[1] == 0);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_block_offset(blocks[0], offset, 1, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_block_set_ranges(blocks[0], all, 1, test_error));
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_block_set_ranges(blocks[0], NULL, 2, test_error));
    OK(kentro_block_partial(blocks[0], centroids, 2, 2, 1, NULL, &partials[0], test_error));
    for (part = 0; part < 2; part++)
        OK(kentro_block_set_ranges(blocks[part], all, 2, test_error));
    OK(kentro_block_offset(blocks[1], offset, 2, test_error));
    CHECK(offset[0] == 4e9 + 6 && offset[1] == 0);
    OK(kentro_block_partial(blocks[1], centroids, 2, 2, 1, NULL, &partials[1], test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_partial_merge(partials[1], partials[0], test_error));
    kentro_partial_free(partials[0]);
    OK(kentro_block_partial(blocks[0], centroids, 2, 2, 1, NULL, &partials[0], test_error));
    OK(kentro_partial_merge(partials[1], partials[0], test_error));
    OK(kentro_partial_finalize(partials[1], centroids, next, 4, NULL, test_error));
    CHECK(next[0] == -5 && next[1] == -7 && next[2] == 1 / 3.0f && next[3] == 3);
    for (part = 0; part < 2; part++) {
        kentro_partial_free(partials[part]);
        kentro_block_free(blocks[part]);
    }
}

static void a_model_learns_block_by_block(void)
{
    float *data = blobs(ROWS, COLS, 5);
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    kentro_points *points = NULL;
    const size_t *sizes = NULL;
    size_t part, len = 0, n_iter = 0, total = 0;
    int32_t trained = 1;
    OK(kentro_points_new_f32(data, 5, COLS, &points, test_error));
    OK(kentro_kmeans_partial_fit(kmeans, points, 0, 1, NULL, test_error));
    OK(kentro_kmeans_is_trained(kmeans, &trained, test_error));
    CHECK(trained == 0); /* too few rows: they are collected */
    kentro_points_free(points);
    for (part = 0; part < 3; part++) {
        OK(kentro_points_new_f32(data + part * 200 * COLS, 200, COLS, &points, test_error));
        OK(kentro_kmeans_partial_fit(kmeans, points, 0, 1, NULL, test_error));
        kentro_points_free(points);
    }
    OK(kentro_kmeans_n_iter(kmeans, &n_iter, test_error));
    OK(kentro_kmeans_cluster_sizes(kmeans, &sizes, &len, test_error));
    for (part = 0; part < len; part++)
        total += sizes[part];
    CHECK(n_iter == 3 && len == CLUSTERS && total == ROWS + 5);
    STATUS(KENTRO_STATUS_NULL_POINTER,
           kentro_kmeans_partial_fit(kmeans, NULL, 0, 1, NULL, test_error));
    OK(kentro_points_new_f32(data, 5, COLS, &points, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_kmeans_partial_fit(kmeans, points, 1.5, 1, NULL, test_error));
    DETAIL("forgetting must be a number from 0 to 1, got 1.5");
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
    free(data);
}

/* A question to a block, by way of bytes, and its answer. */
static kentro_message *asked(kentro_seeding *seeding, kentro_block *block, size_t number)
{
    kentro_message *question = NULL, *answer = NULL;
    const float *candidates = NULL;
    const uint8_t *bytes = NULL;
    size_t count = 0, cols = 0, size = 0;
    OK(kentro_seeding_candidates(seeding, &candidates, &count, &cols, test_error));
    OK(kentro_seeding_question(seeding, number, &question, test_error));
    OK(kentro_message_bytes(question, &bytes, &size, test_error));
    STATUS(KENTRO_STATUS_INVALID_FILE,
           kentro_block_seed(block, candidates, count, cols, bytes, size - 1, 1, NULL, &answer,
                             test_error));
    OK(kentro_block_seed(block, candidates, count, cols, bytes, size, 1, NULL, &answer,
                         test_error));
    kentro_message_free(question);
    return answer;
}

static void empty_clusters_are_placed(void)
{
    float *data = blobs(ROWS, COLS, 5);
    float centroids[2 * COLS] = {0}, placed[2 * COLS];
    kentro_block *block = block_of(data, ROWS);
    kentro_partial *partial = NULL;
    int32_t any = 0;
    centroids[COLS] = 1e6f;
    OK(kentro_block_partial(block, centroids, 2, COLS, 1, NULL, &partial, test_error));
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           kentro_partial_place_empty(partial, centroids, placed, 2 * COLS - 1, &any, test_error));
    OK(kentro_partial_place_empty(partial, centroids, placed, 2 * COLS, &any, test_error));
    CHECK(any == 1 && placed[0] == 0 && placed[COLS] != centroids[COLS]);
    kentro_partial_free(partial);
    OK(kentro_block_partial(block, placed, 2, COLS, 1, NULL, &partial, test_error));
    OK(kentro_partial_place_empty(partial, placed, placed, 2 * COLS, &any, test_error));
    CHECK(any == 0);
    kentro_partial_free(partial);
    kentro_block_free(block);
    free(data);
}

static void seeds_are_those_of_training(void)
{
    float *data = blobs(ROWS, COLS, 5);
    const float *seeds = NULL, *trained = NULL;
    kentro_block *blocks[PARTS];
    kentro_message *answers[PARTS];
    kentro_seeding *seeding = NULL;
    kentro_kmeans *models[2];
    size_t rows = ROWS / PARTS, k = 0, d = 0, part, round;
    for (part = 0; part < PARTS; part++)
        blocks[part] = block_of(data + part * rows * COLS, rows);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_seeding_new(0, 1, 7, &seeding, test_error));
    OK(kentro_seeding_new(CLUSTERS, 1, 7, &seeding, test_error));
    for (round = 0; seeds == NULL && round < 100; round++) {
        const uint8_t *bytes[PARTS];
        size_t sizes[PARTS];
        for (part = 0; part < PARTS; part++) {
            answers[part] = asked(seeding, blocks[part], part);
            OK(kentro_message_bytes(answers[part], &bytes[part], &sizes[part], test_error));
        }
        STATUS(KENTRO_STATUS_INVALID_PARAMETER,
               kentro_seeding_take(seeding, bytes, sizes, 0, 1, NULL, test_error));
        OK(kentro_seeding_take(seeding, bytes, sizes, PARTS, 1, NULL, test_error));
        for (part = 0; part < PARTS; part++)
            kentro_message_free(answers[part]);
        OK(kentro_seeding_centroids(seeding, &seeds, &k, &d, test_error));
    }
    CHECK(k == CLUSTERS && d == COLS);
    for (part = 0; part < 2; part++) {
        models[part] = new_kmeans(CLUSTERS, 1);
        OK(kentro_kmeans_set_iterations(models[part], 1, test_error));
        OK(kentro_kmeans_set_quality(models[part], KENTRO_QUALITY_FAST, test_error));
        OK(kentro_kmeans_set_seed(models[part], 7, test_error));
    }
    OK(kentro_kmeans_set_init(models[0], KENTRO_INIT_KMEANS_PARALLEL, test_error));
    OK(kentro_kmeans_set_init_centroids(models[1], seeds, KENTRO_DTYPE_F32, k, d, test_error));
    for (part = 0; part < 2; part++)
        OK(train_f32(models[part], data, ROWS, COLS, 1, NULL, test_error));
    OK(kentro_kmeans_centroids(models[0], &trained, &k, &d, test_error));
    OK(kentro_kmeans_centroids(models[1], &seeds, &k, &d, test_error));
    CHECK(memcmp(trained, seeds, CLUSTERS * COLS * sizeof *seeds) == 0);
    for (part = 0; part < 2; part++)
        kentro_kmeans_free(models[part]);
    for (part = 0; part < PARTS; part++)
        kentro_block_free(blocks[part]);
    kentro_seeding_free(seeding);
    kentro_seeding_free(NULL);
    kentro_message_free(NULL);
    free(data);
}

int main(void)
{
    RUN(a_model_learns_block_by_block);
    RUN(blocks_with_the_ranges_of_all_lose_an_offset);
    RUN(the_loop_gives_the_centroids_of_training);
    RUN(partials_tell_what_rows_come_to);
    RUN(empty_clusters_are_placed);
    RUN(seeds_are_those_of_training);
    return finish();
}
