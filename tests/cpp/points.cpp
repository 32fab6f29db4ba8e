// Points of every number type and layout give what their float32 copy gives.

#include "harness.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace {

// Small integers, so that every number type holds them.
constexpr std::size_t rows = 60;
constexpr std::size_t cols = 3;

template <class T>
std::vector<T> values() {
    std::vector<T> values;
    for (std::size_t i = 0; i < rows * cols; ++i)
        values.push_back(static_cast<T>(i / cols % 4 * 20 + i * 7 % 5));
    return values;
}

std::vector<std::uint32_t> labels_of(const kentro::Points& points) {
    auto kmeans = kentro::KMeans(4).with_euclidean(true);
    kmeans.fit(points);
    return {kmeans.labels().begin(), kmeans.labels().end()};
}

std::vector<std::uint32_t> expected() {
    const std::vector<float> data = values<float>();
    return labels_of({data, cols});
}

template <class T>
void check_type() {
    const std::vector<T> typed = values<T>();
    check(labels_of({typed, cols}) == expected(), "container");
    check(labels_of({typed.data(), rows, cols}) == expected(), "pointer");
}

void number_types() {
    check_type<float>();
    check_type<double>();
    check_type<std::int8_t>();
    check_type<std::uint8_t>();
    check_type<std::int16_t>();
    check_type<std::uint16_t>();
    check_type<std::int32_t>();
    check_type<std::uint32_t>();
    check_type<std::int64_t>();
    check_type<std::uint64_t>();
    check_type<long>();
    check_type<unsigned long long>();
    const bool flags[] = {false, true, true, true, false, true};
    check(labels_of({flags, 6, 1}).size() == 6, "bool");
}

void half_precision() {
    std::vector<std::uint16_t> upper_halves; // bfloat16 is the upper half of a float32
    for (float value : values<float>()) {
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        upper_halves.push_back(static_cast<std::uint16_t>(bits >> 16));
    }
    check(labels_of({upper_halves.data(), rows, cols, cols, 1, KENTRO_DTYPE_BF16}) ==
          expected());
}

void foreign_byte_order() {
    std::vector<double> swapped = values<double>();
    for (double& value : swapped) {
        auto bytes = reinterpret_cast<unsigned char*>(&value);
        std::reverse(bytes, bytes + sizeof value);
    }
    const std::int32_t dtype = KENTRO_DTYPE_F64 | KENTRO_DTYPE_SWAPPED;
    check(labels_of({swapped.data(), rows, cols, cols, 1, dtype}) == expected());
}

void containers() {
    const std::array<float, 6> array = {0, 0, 9, 9, 1, 1};
    const kentro::Points points(array, 2);
    check(points.rows() == 3 && points.cols() == 2);
    const std::vector<float> seven(7);
    check_error([&] { kentro::Points(seven, 2); }, KENTRO_STATUS_INVALID_DATA,
                "Invalid data: 7 values do not make rows of 2 columns");
    // What would be gone when it is used doesn't compile.
    using Vector = std::vector<float>;
    static_assert(std::is_constructible_v<kentro::Points, Vector&, int>);
    static_assert(std::is_constructible_v<kentro::Points, const Vector&, int>);
    static_assert(!std::is_constructible_v<kentro::Points, Vector, int>);
    static_assert(!std::is_constructible_v<kentro::Points, const Vector, int>);
    static_assert(!std::is_constructible_v<kentro::Points, std::array<float, 6>, int>);
    static_assert(std::is_constructible_v<kentro::Points, kentro::View<float>, int>);
}

void strides() {
    const std::vector<float> packed = values<float>();
    std::vector<float> column_major(rows * cols);
    std::vector<float> padded(rows * 8);
    std::vector<float> spread(rows * cols * 2);
    std::vector<float> backwards(packed.rbegin(), packed.rend());
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t t = 0; t < cols; ++t) {
            const float value = packed[i * cols + t];
            column_major[t * rows + i] = padded[i * 8 + t] = spread[(i * cols + t) * 2] = value;
        }
    }
    check(labels_of({column_major.data(), rows, cols, 1, rows}) == expected(), "column-major");
    check(labels_of({padded.data(), rows, cols, 8}) == expected(), "padded rows");
    check(labels_of({spread.data(), rows, cols, cols * 2, 2}) == expected(), "every second value");
    check(labels_of({&backwards.back(), rows, cols, -std::ptrdiff_t{cols}, -1}) == expected(),
          "negative");

    const kentro::Points repeated(packed.data(), rows, cols, 0, 0);
    const std::vector<std::uint32_t> labels = labels_of(repeated);
    check(std::count(labels.begin(), labels.end(), labels[0]) == rows, "stride 0");
}

void unusable_points_are_errors() {
    const std::vector<double> typed = values<double>();
    const auto bytes = reinterpret_cast<const char*>(typed.data());
    const auto status_of = [](auto... arguments) {
        return error_of([&] { kentro::Points points(arguments...); }).status();
    };
    const auto invalid = static_cast<kentro_status>(KENTRO_STATUS_INVALID_DATA);
    const auto address = static_cast<const void*>(bytes);
    const auto misaligned = static_cast<const void*>(bytes + 1);
    const std::ptrdiff_t row = cols;
    check(status_of(misaligned, rows - 1, cols, row, 1, KENTRO_DTYPE_F64) == invalid, "misaligned");
    check(status_of(address, rows, cols, row, 1, 99) == invalid, "number type");
    check(status_of(address, SIZE_MAX / 2, cols, row, 1, KENTRO_DTYPE_F64) == invalid,
          "too many rows");
    check(status_of(typed.data(), rows, cols, PTRDIFF_MAX) == invalid, "stride too large");
    check(status_of(address, rows, cols, row, PTRDIFF_MIN / 8 - 1, KENTRO_DTYPE_I64) == invalid,
          "stride too large");
    const auto null = static_cast<const double*>(nullptr);
    check(status_of(null, rows, cols) == static_cast<kentro_status>(KENTRO_STATUS_NULL_POINTER),
          "null");
    kentro::Points empty(null, std::size_t{0}, cols);
    check(empty.rows() == 0);
}

template <class Index, class Start>
void check_sparse() {
    const std::vector<float> packed = values<float>();
    std::vector<double> kept;
    std::vector<Index> indices;
    std::vector<Start> indptr = {0};
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t t = cols; t-- > 0;) { // columns need not ascend
            if (packed[i * cols + t] == 0) continue;
            kept.push_back(packed[i * cols + t]);
            indices.push_back(static_cast<Index>(t));
        }
        indptr.push_back(static_cast<Start>(kept.size()));
    }
    const auto points = kentro::Points::csr(kept, indices, indptr, cols);
    check(points.rows() == rows && points.cols() == cols);
    check(labels_of(points) == expected());
    check(labels_of(kentro::Points::csr(kept.data(), indices.data(), indptr.data(), rows, cols,
                                        kept.size())) == expected());
}

void sparse_rows() {
    check_sparse<std::int32_t, std::int32_t>();
    check_sparse<std::int64_t, std::uint32_t>();
    check_sparse<std::uint64_t, std::int64_t>();
    const std::vector<float> two = {1, 2};
    const std::vector<int> indices = {0, 3};
    const std::vector<int> one = {0};
    const std::vector<int> indptr = {0, 2};
    check_error([&] { kentro::Points::csr(two, indices, indptr, 3); },
                KENTRO_STATUS_INVALID_DATA,
                "Invalid data: indices[1], of row 0, is 3, but there are 3 columns");
    check_error([&] { kentro::Points::csr(two, one, indptr, 3); },
                KENTRO_STATUS_INVALID_DATA,
                "Invalid data: 2 values, 1 indices and 2 numbers in indptr; give an index for "
                "each value, and in indptr a number for each row and one more");
}

} // namespace

int main() {
    return run({
        {"number_types", number_types},
        {"half_precision", half_precision},
        {"foreign_byte_order", foreign_byte_order},
        {"containers", containers},
        {"strides", strides},
        {"sparse_rows", sparse_rows},
        {"unusable_points_are_errors", unusable_points_are_errors},
    });
}
