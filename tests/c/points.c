/* Every number type and layout gives what its float32 copy gives. */

#include "test.h"

enum { ROWS = 60, COLS = 5, CLUSTERS = 4 };

/* What training found. */
typedef struct {
    uint32_t labels[ROWS];
    float centroids[CLUSTERS * COLS];
    double inertia;
} result;

static void copy_result(const kentro_kmeans *kmeans, result *out)
{
    const uint32_t *labels = NULL;
    const float *centroids = NULL;
    size_t len = 0, rows = 0, cols = 0;
    OK(kentro_kmeans_labels(kmeans, &labels, &len, test_error));
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    OK(kentro_kmeans_inertia(kmeans, &out->inertia, test_error));
    CHECK(len == ROWS && rows == CLUSTERS && cols == COLS);
    if (len == ROWS && rows * cols == CLUSTERS * COLS) {
        memcpy(out->labels, labels, sizeof out->labels);
        memcpy(out->centroids, centroids, sizeof out->centroids);
    }
}

static int same(const result *a, const result *b)
{
    return memcmp(a->labels, b->labels, sizeof a->labels) == 0
        && memcmp(a->centroids, b->centroids, sizeof a->centroids) == 0
        && memcmp(&a->inertia, &b->inertia, sizeof a->inertia) == 0;
}

static result trained_on(const float *data)
{
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    result found;
    memset(&found, 0, sizeof found);
    OK(train_f32(kmeans, data, ROWS, COLS, 1, NULL, test_error));
    copy_result(kmeans, &found);
    kentro_kmeans_free(kmeans);
    return found;
}

/* Stores a small whole number as the type and returns its size in bytes. */
static size_t store(int32_t dtype, int value, unsigned char *out)
{
    union {
        float f32; double f64; uint16_t half; int8_t i8; uint8_t u8;
        int16_t i16; uint16_t u16; int32_t i32; uint32_t u32; int64_t i64; uint64_t u64;
        unsigned char bytes[8];
    } number;
    uint32_t bits;
    size_t size, i;
    float f32 = (float)value;
    memcpy(&bits, &f32, sizeof bits);
    switch (dtype & ~KENTRO_DTYPE_SWAPPED) {
    case KENTRO_DTYPE_F32: number.f32 = f32; size = 4; break;
    case KENTRO_DTYPE_F64: number.f64 = value; size = 8; break;
    case KENTRO_DTYPE_F16:
        number.half = 0;
        if (value != 0) /* exponents differ by 127 - 15 */
            number.half = (uint16_t)((bits >> 16 & 0x8000u) | ((bits >> 23 & 0xff) - 112) << 10
                                     | (bits >> 13 & 0x3ff));
        size = 2;
        break;
    case KENTRO_DTYPE_BF16: number.half = (uint16_t)(bits >> 16); size = 2; break;
    case KENTRO_DTYPE_I8: number.i8 = (int8_t)value; size = 1; break;
    case KENTRO_DTYPE_U8:
    case KENTRO_DTYPE_BOOL: number.u8 = (uint8_t)value; size = 1; break;
    case KENTRO_DTYPE_I16: number.i16 = (int16_t)value; size = 2; break;
    case KENTRO_DTYPE_U16: number.u16 = (uint16_t)value; size = 2; break;
    case KENTRO_DTYPE_I32: number.i32 = value; size = 4; break;
    case KENTRO_DTYPE_U32: number.u32 = (uint32_t)value; size = 4; break;
    case KENTRO_DTYPE_I64: number.i64 = value; size = 8; break;
    default: number.u64 = (uint64_t)value; size = 8; break;
    }
    for (i = 0; i < size; i++)
        out[i] = number.bytes[dtype & KENTRO_DTYPE_SWAPPED ? size - 1 - i : i];
    return size;
}

static int is_signed(int32_t dtype)
{
    switch (dtype & ~KENTRO_DTYPE_SWAPPED) {
    case KENTRO_DTYPE_U8: case KENTRO_DTYPE_U16: case KENTRO_DTYPE_U32:
    case KENTRO_DTYPE_U64: case KENTRO_DTYPE_BOOL: return 0;
    default: return 1;
    }
}

/* Where element (row, column) lies, in elements from the first one. */
typedef struct {
    const char *name;
    ptrdiff_t start, row, column;
} layout;

static const layout layouts[] = {
    {"row-major", 0, COLS, 1},
    {"column-major", 0, 1, ROWS},
    {"padded rows", 0, COLS + 3, 1},
    {"every other column", 0, 2 * COLS, 2},
    {"rows from the last", (ROWS - 1) * COLS, -COLS, 1},
    {"columns from the last", COLS - 1, COLS, -1},
    {"both from the last", ROWS * COLS - 1, -COLS, -1},
    {"column-major from the last", ROWS * COLS - 1, -1, -ROWS},
};

static void compare(int32_t dtype, const layout *layout)
{
    unsigned char *memory = allocate(ROWS * COLS * 2 * 8, 1);
    float copy[ROWS * COLS];
    uint64_t state = 3;
    ptrdiff_t size = 0;
    int i, j;
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    result expected, found;
    uint32_t labels[ROWS];

    for (i = 0; i < ROWS; i++)
        for (j = 0; j < COLS; j++) {
            int most = dtype == KENTRO_DTYPE_BOOL ? 2 : 120;
            int value = (int)(unit(&state) * most);
            unsigned char bytes[8];
            if (is_signed(dtype))
                value -= 60;
            size = (ptrdiff_t)store(dtype, value, bytes);
            memcpy(memory + (layout->start + i * layout->row + j * layout->column) * size,
                   bytes, (size_t)size);
            copy[i * COLS + j] = (float)value;
        }
    expected = trained_on(copy);
    memset(&found, 0, sizeof found);
    OK(kentro_points_new(memory + layout->start * size, ROWS, COLS, layout->row * size,
                         layout->column * size, dtype, &points, test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    copy_result(kmeans, &found);
    CHECK(same(&expected, &found));
    OK(kentro_kmeans_predict(kmeans, points, 1, 1, NULL, labels, ROWS, NULL, 0, NULL, test_error));
    CHECK(memcmp(labels, expected.labels, sizeof labels) == 0);
    if (!test_ok)
        printf("  with dtype 0x%x, %s\n", (unsigned)dtype, layout->name);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
    free(memory);
}

static void every_type_and_layout_equals_its_copy(void)
{
    int32_t dtype;
    size_t i;
    for (dtype = KENTRO_DTYPE_F32; dtype <= KENTRO_DTYPE_BOOL; dtype++)
        for (i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
            unsigned char bytes[8];
            compare(dtype, &layouts[i]);
            if (store(dtype, 0, bytes) > 1)
                compare(dtype | KENTRO_DTYPE_SWAPPED, &layouts[i]);
        }
}

static void doubles_are_rounded(void)
{
    double data[ROWS * COLS];
    float copy[ROWS * COLS];
    uint64_t state = 5;
    size_t i;
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    result expected, found;
    for (i = 0; i < ROWS * COLS; i++) {
        data[i] = unit(&state) / 3;
        copy[i] = (float)data[i];
    }
    expected = trained_on(copy);
    memset(&found, 0, sizeof found);
    OK(kentro_points_new(data, ROWS, COLS, COLS * 8, 8, KENTRO_DTYPE_F64, &points, test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    copy_result(kmeans, &found);
    CHECK(same(&expected, &found));
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);

    data[COLS + 2] = 1e300; /* finite, but not as a float32 */
    kmeans = new_kmeans(CLUSTERS, 1);
    OK(kentro_points_new(data, ROWS, COLS, COLS * 8, 8, KENTRO_DTYPE_F64, &points, test_error));
    STATUS(KENTRO_STATUS_NOT_FINITE, kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "row 1, column 2") != NULL);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

/* One row or column many times, as broadcasting makes it. */
static void strides_may_be_zero(void)
{
    const float row[] = {1, 2, 3};
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = new_kmeans(1, 1);
    const float *centroids = NULL;
    size_t rows = 0, cols = 0;
    OK(kentro_points_new(row, 1000, 3, 0, 4, KENTRO_DTYPE_F32, &points, test_error));
    OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    OK(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, test_error));
    CHECK(rows == 1 && cols == 3 && memcmp(centroids, row, sizeof row) == 0);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

#define INVALID(call) STATUS(KENTRO_STATUS_INVALID_DATA, call)

static void unknown_types_are_errors(void)
{
    const double data[4] = {0, 0, 0, 0};
    const int32_t unknown[] = {
        0, -1, KENTRO_DTYPE_BOOL + 1, INT32_MAX, INT32_MIN, KENTRO_DTYPE_SWAPPED,
        KENTRO_DTYPE_SWAPPED | KENTRO_DTYPE_U8, KENTRO_DTYPE_SWAPPED | KENTRO_DTYPE_I8,
        KENTRO_DTYPE_SWAPPED | KENTRO_DTYPE_BOOL, 0x200 | KENTRO_DTYPE_F32};
    kentro_points *points = NULL;
    size_t i;
    for (i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        INVALID(kentro_points_new(data, 2, 2, 16, 8, unknown[i], &points, test_error));
    DETAIL("Invalid data: dtype is 513, none of KENTRO_DTYPE_*");
    INVALID(kentro_points_new(data, 2, 2, 16, 8, KENTRO_DTYPE_SWAPPED | KENTRO_DTYPE_U8, &points,
                              test_error));
    DETAIL("Invalid data: dtype 6 cannot be KENTRO_DTYPE_SWAPPED");
    CHECK(points == NULL);
}

static void misaligned_memory_is_an_error(void)
{
    const double data[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    const char *bytes = (const char *)data;
    kentro_points *points = NULL;
    INVALID(kentro_points_new(bytes + 1, 2, 2, 8, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(bytes + 4, 2, 2, 16, 8, KENTRO_DTYPE_F64, &points, test_error));
    INVALID(kentro_points_new(bytes + 1, 2, 2, 4, 2, KENTRO_DTYPE_BF16, &points, test_error));
    INVALID(kentro_points_new(bytes, 2, 2, 7, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(bytes, 2, 2, 8, 3, KENTRO_DTYPE_F32, &points, test_error));
    DETAIL("Invalid data: a stride is 3 bytes, no multiple of the 4 of a number");
    INVALID(kentro_points_new(bytes, 2, 2, -2, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new_f32((const float *)(const void *)(bytes + 2), 2, 2, &points, test_error));
    CHECK(points == NULL);
    {
        kentro_kmeans *kmeans = new_kmeans(1, 1);
        INVALID(train_f32(kmeans, (const float *)(const void *)(bytes + 2), 2, 2, 1, NULL, test_error));
        DETAIL("Invalid data: data is not aligned to its number type");
        kentro_kmeans_free(kmeans);
    }
    OK(kentro_points_new(bytes + 1, 2, 2, 3, 1, KENTRO_DTYPE_I8, &points, test_error));
    kentro_points_free(points);
}

/* A stride that is never used may be anything. */
static void strides_of_single_rows_and_columns_do_not_matter(void)
{
    const float data[] = {1, 2, 3, 4};
    kentro_points *points = NULL;
    OK(kentro_points_new(data, 1, 4, 5, 4, KENTRO_DTYPE_F32, &points, test_error));
    kentro_points_free(points);
    OK(kentro_points_new(data, 4, 1, 4, PTRDIFF_MIN, KENTRO_DTYPE_F32, &points, test_error));
    kentro_points_free(points);
}

static void sizes_that_overflow_are_errors(void)
{
    const float data[] = {1, 2, 3, 4};
    const size_t half = SIZE_MAX / 2 + 1;
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = new_kmeans(1, 1);
    INVALID(kentro_points_new_f32(data, SIZE_MAX, 2, &points, test_error));
    CHECK(strstr(kentro_error_message(test_error), " x 2 values with these strides overflow"));
    INVALID(kentro_points_new_f32(data, SIZE_MAX, SIZE_MAX, &points, test_error));
    INVALID(kentro_points_new_f32(data, half, 2, &points, test_error));
    INVALID(kentro_points_new_f32(data, half / 4, 1, &points, test_error));
    INVALID(kentro_points_new_f32(data, 1, SIZE_MAX, &points, test_error));
    INVALID(kentro_points_new(data, 3, 1, PTRDIFF_MAX - 3, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(data, 5, 1, PTRDIFF_MAX / 2 + 1, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(data, 2, 1, PTRDIFF_MAX - 3, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(data, 2, 1, PTRDIFF_MIN, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(data, 3, 2, PTRDIFF_MIN, PTRDIFF_MIN, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_points_new(data, SIZE_MAX / 8, 1, -8, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(train_f32(kmeans, data, SIZE_MAX / 4, 4, 1, NULL, test_error));
    CHECK(points == NULL);
    kentro_kmeans_free(kmeans);
}

static void more_rows_than_labels_can_count_are_an_error(void)
{
    const float data[] = {1, 2};
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    OK(kentro_points_new(data, UINT32_MAX, 2, 0, 4, KENTRO_DTYPE_F32, &points, test_error));
    INVALID(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "4294967295 rows exceed the limit") != NULL);
    kentro_points_free(points);
    kentro_kmeans_free(kmeans);
}

static void no_values_need_no_memory(void)
{
    kentro_points *points = NULL;
    OK(kentro_points_new_f32(NULL, 0, 3, &points, test_error));
    kentro_points_free(points);
    OK(kentro_points_new_f32(NULL, 3, 0, &points, test_error));
    kentro_points_free(points);
    OK(kentro_points_new(NULL, 0, 0, -1, 1, KENTRO_DTYPE_U64, &points, test_error));
    kentro_points_free(points);
}

static const int32_t index_types[] = {
    KENTRO_DTYPE_I32, KENTRO_DTYPE_I64, KENTRO_DTYPE_U32, KENTRO_DTYPE_U64};

/* Sparse rows of every type give what their dense copy gives. */
static void sparse_rows_equal_their_dense_copy(void)
{
    int32_t dtype;
    for (dtype = KENTRO_DTYPE_F32; dtype <= KENTRO_DTYPE_BOOL; dtype++) {
        float copy[ROWS * COLS];
        unsigned char *values = allocate(ROWS * COLS * 8, 1);
        unsigned char *indices = allocate(ROWS * COLS * 8, 1);
        unsigned char *indptr = allocate((ROWS + 1) * 8, 1);
        const int32_t of_indices = index_types[dtype % 4], of_indptr = index_types[dtype / 4];
        uint64_t state = 11;
        unsigned char bytes[8];
        const size_t size = store(dtype, 0, bytes), index_size = store(of_indices, 0, bytes);
        const size_t start_size = store(of_indptr, 0, bytes);
        size_t len = 0;
        int i, j;
        kentro_points *points = NULL;
        kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
        result expected, found;
        uint32_t labels[ROWS];

        for (i = 0; i < ROWS; i++) {
            store(of_indptr, (int)len, indptr + (size_t)i * start_size);
            for (j = 0; j < COLS; j++) {
                const int value = unit(&state) < 0.5 ? 0 : 1 + (int)(unit(&state) * 60);
                const int kept = dtype == KENTRO_DTYPE_BOOL ? value != 0 : value;
                copy[i * COLS + j] = (float)kept;
                if (kept == 0)
                    continue;
                store(dtype, kept, values + len * size);
                store(of_indices, j, indices + len * index_size);
                len++;
            }
        }
        store(of_indptr, (int)len, indptr + ROWS * start_size);
        expected = trained_on(copy);
        memset(&found, 0, sizeof found);
        OK(kentro_points_new_csr(values, dtype, indices, of_indices, indptr, of_indptr, ROWS, COLS,
                                 len, &points, test_error));
        OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
        copy_result(kmeans, &found);
        CHECK(same(&expected, &found));
        OK(kentro_kmeans_predict(kmeans, points, 1, 1, NULL, labels, ROWS, NULL, 0, NULL, test_error));
        CHECK(memcmp(labels, expected.labels, sizeof labels) == 0);
        kentro_points_free(points);
        kentro_kmeans_free(kmeans);
        free(values);
        free(indices);
        free(indptr);
    }
}

/* Whatever indices say, nothing is read that isn't there. */
static void hostile_indices_are_errors(void)
{
    enum { LEN = 6, MOST_ROWS = 4 };
    const int64_t odd[] = {-1, 0, 1, 2, 3, 5, 6, 7, INT32_MAX, INT64_MAX, INT64_MIN, 1ll << 32};
    uint64_t state = 29;
    int made = 0, i;
    for (i = 0; i < 4000; i++) {
        float *values = allocate(LEN * sizeof *values, 1);
        int64_t *indices = allocate(LEN * sizeof *indices, 1);
        int64_t *indptr = allocate((MOST_ROWS + 1) * sizeof *indptr, 1);
        kentro_points *points = NULL;
        kentro_status status;
        int at;
        for (at = 0; at < LEN; at++) {
            values[at] = (float)at;
            indices[at] = (int64_t)(unit(&state) * 4);
        }
        for (at = 0; at <= MOST_ROWS; at++)
            indptr[at] = at * LEN / MOST_ROWS;
        for (at = (int)(unit(&state) * 3); at > 0; at--) {
            const int64_t value = odd[(size_t)(unit(&state) * 12)];
            if (unit(&state) < 0.5)
                indices[(size_t)(unit(&state) * LEN)] = value;
            else
                indptr[(size_t)(unit(&state) * (MOST_ROWS + 1))] = value;
        }
        status = kentro_points_new_csr(values, KENTRO_DTYPE_F32, indices, KENTRO_DTYPE_I64, indptr,
                                       KENTRO_DTYPE_I64, MOST_ROWS, 4, LEN, &points, test_error);
        if (status == KENTRO_STATUS_OK) {
            kentro_kmeans *kmeans = new_kmeans(2, i % 2);
            OK(kentro_kmeans_train(kmeans, points, 1, NULL, test_error));
            kentro_kmeans_free(kmeans);
            made++;
        } else {
            CHECK(status == KENTRO_STATUS_INVALID_DATA && points == NULL);
            CHECK(strstr(kentro_error_message(test_error), "ind") != NULL);
        }
        kentro_points_free(points);
        free(values);
        free(indices);
        free(indptr);
    }
    CHECK(made > 400 && made < 3600);
}

static void sparse_rows_that_cannot_be_are_errors(void)
{
    const double values[] = {1, 2};
    const int64_t indices[] = {0, 1}, indptr[] = {0, 1, 2};
    const char *bytes = (const char *)indices;
    const int32_t f64 = KENTRO_DTYPE_F64, i64 = KENTRO_DTYPE_I64;
    kentro_points *points = NULL;
    INVALID(kentro_points_new_csr(values, 99, indices, i64, indptr, i64, 2, 2, 2, &points, test_error));
    DETAIL("Invalid data: dtype is 99, none of KENTRO_DTYPE_*");
    INVALID(kentro_points_new_csr(values, f64, indices, f64, indptr, i64, 2, 2, 2, &points, test_error));
    DETAIL("Invalid data: the dtype of indices is 2, none of KENTRO_DTYPE_I32, _I64, _U32, _U64");
    INVALID(kentro_points_new_csr(values, f64, indices, i64, indptr, 0, 2, 2, 2, &points, test_error));
    INVALID(kentro_points_new_csr(values, f64, bytes + 1, i64, indptr, i64, 1, 2, 1, &points, test_error));
    DETAIL("indices is not aligned to its type");
    INVALID(kentro_points_new_csr(values, f64, indices, i64, bytes + 4, i64, 1, 2, 1, &points, test_error));
    INVALID(kentro_points_new_csr(bytes + 4, f64, indices, i64, indptr, i64, 1, 2, 1, &points, test_error));
    INVALID(kentro_points_new_csr(values, f64, indices, i64, indptr, i64, SIZE_MAX, 2, 2, &points, test_error));
    INVALID(kentro_points_new_csr(values, f64, indices, i64, indptr, i64, SIZE_MAX / 8, 2, 2, &points, test_error));
    INVALID(kentro_points_new_csr(values, f64, indices, i64, indptr, i64, 2, 2, SIZE_MAX / 8, &points, test_error));
    INVALID(kentro_points_new_csr(values, f64, indices, i64, indptr, i64, 2, SIZE_MAX, 2, &points, test_error));
    INVALID(kentro_points_new_csr(values, f64, indices, i64, indptr, i64, 2, 2, 1, &points, test_error));
    DETAIL("Invalid data: indptr[2] is 2, but there are 1 values");
    CHECK(points == NULL);
    OK(kentro_points_new_csr(NULL, f64, NULL, i64, indptr, i64, 0, 2, 0, &points, test_error));
    kentro_points_free(points);
}

int main(void)
{
    RUN(sparse_rows_equal_their_dense_copy);
    RUN(hostile_indices_are_errors);
    RUN(sparse_rows_that_cannot_be_are_errors);
    RUN(every_type_and_layout_equals_its_copy);
    RUN(doubles_are_rounded);
    RUN(strides_may_be_zero);
    RUN(unknown_types_are_errors);
    RUN(misaligned_memory_is_an_error);
    RUN(strides_of_single_rows_and_columns_do_not_matter);
    RUN(sizes_that_overflow_are_errors);
    RUN(more_rows_than_labels_can_count_are_an_error);
    RUN(no_values_need_no_memory);
    return finish();
}
