// What the C++ test programs share: checks, a runner, and data.

#pragma once

#include <kentro.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

inline void check(bool holds, const char* what = "condition", int line = __builtin_LINE()) {
    if (!holds)
        throw std::runtime_error("line " + std::to_string(line) + ": " + what + " does not hold");
}

// The error that `call` must throw.
template <class Call>
kentro::Error error_of(Call call, int line = __builtin_LINE()) {
    try {
        call();
    } catch (const kentro::Error& error) {
        return error;
    }
    throw std::runtime_error("line " + std::to_string(line) + ": nothing was thrown");
}

template <class Call>
void check_error(Call call, kentro_status status, const std::string& text,
                 int line = __builtin_LINE()) {
    const kentro::Error error = error_of(call, line);
    if (error.status() != status || error.what() != text) {
        throw std::runtime_error("line " + std::to_string(line) + ": got status " +
                                 std::to_string(error.status()) + ": " + error.what());
    }
}

struct Test {
    const char* name;
    void (*body)();
};

// Runs all tests; the return value is that of main.
inline int run(std::initializer_list<Test> tests) {
    int failed = 0;
    for (const Test& test : tests) {
        try {
            test.body();
            std::printf("ok %s\n", test.name);
        } catch (const std::exception& exception) {
            ++failed;
            std::printf("FAIL %s: %s\n", test.name, exception.what());
        }
    }
    std::printf("%d passed, %d failed\n", static_cast<int>(tests.size()) - failed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// rows × cols values; row i lies near corner i % 4 of a cube of side 10.
inline std::vector<float> blobs(std::size_t rows, std::size_t cols) {
    std::uint64_t state = 1;
    std::vector<float> values;
    values.reserve(rows * cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t t = 0; t < cols; ++t) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const float unit = static_cast<float>(state >> 40) / static_cast<float>(1 << 24);
            values.push_back((i % 4 >> t % 2 & 1 ? 5.0f : -5.0f) + unit);
        }
    }
    return values;
}

// The squared distance in float64.
inline double squared_distance(const float* a, const float* b, std::size_t cols) {
    double sum = 0;
    for (std::size_t t = 0; t < cols; ++t) {
        const double difference = static_cast<double>(a[t]) - static_cast<double>(b[t]);
        sum += difference * difference;
    }
    return sum;
}
