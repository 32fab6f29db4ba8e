// Every documented error: its status and its text, word for word.

#include "harness.hpp"

#include <limits>

namespace {

const std::vector<float> data = blobs(20, 2);
const kentro::Points points(data, 2);

kentro::KMeans trained() {
    auto kmeans = kentro::KMeans(3).with_euclidean(true);
    kmeans.fit(points);
    return kmeans;
}

void counts_must_be_positive() {
    check_error([] { kentro::KMeans(0); }, KENTRO_STATUS_INVALID_N_CLUSTERS,
                "Number of clusters must be positive");
    check_error([] { kentro::KMeans(-1); }, KENTRO_STATUS_INVALID_N_CLUSTERS,
                "Number of clusters must be positive");
    check_error([] { (void)kentro::KMeans(3).with_iterations(0); }, KENTRO_STATUS_INVALID_PARAMETER,
                "Number of iterations must be positive");
    check_error([] { (void)kentro::KMeans(3).with_iterations(-5L); }, KENTRO_STATUS_INVALID_PARAMETER,
                "Number of iterations must be positive");
    check_error([] { (void)kentro::KMeans(3).with_max_balance_diff(0); }, KENTRO_STATUS_INVALID_PARAMETER,
                "Max balance difference must be positive");
    error_of([] { (void)kentro::KMeans(3).with_n_init(0); });
    for (double tolerance : {-0.5, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
        const auto error = error_of([&] { (void)kentro::KMeans(3).with_tolerance(tolerance); });
        check(error.status() == KENTRO_STATUS_INVALID_PARAMETER);
        check(std::string(error.what()).find("tolerance") != std::string::npos);
    }
}

void the_type_is_a_runtime_error() {
    try {
        kentro::KMeans(0);
    } catch (const std::runtime_error&) {
        return;
    }
    check(false);
}

void an_untrained_model() {
    const kentro::KMeans kmeans(3);
    const auto text = "Clustering has not been trained yet";
    const kentro_status status = KENTRO_STATUS_NOT_TRAINED;
    check_error([&] { kmeans.assign(points, 1); }, status, text);
    check_error([&] { kmeans.assign(points, 0); }, status,
                text); // the trained state is checked first
    check_error([&] { kmeans.predict(points); }, status, text);
    check_error([&] { kmeans.clusters(); }, status, text);
    check_error([&] { kmeans.labels(); }, status, text);
    check_error([&] { kmeans.centroids(); }, status, text);
    check_error([&] { kmeans.medoid_indices(); }, status, text);
    check_error([&] { kmeans.cluster_parents(); }, status, text);
    check_error([&] { kmeans.inertia(); }, status, text);
    check_error([&] { kmeans.n_iter(); }, status, text);
}

void a_trained_model() {
    kentro::KMeans kmeans = trained();
    check_error([&] { kmeans.train(points); }, KENTRO_STATUS_ALREADY_TRAINED,
                "Clustering has already been trained");
    check_error([&] { kmeans.assign(points, 0); }, KENTRO_STATUS_INVALID_PARAMETER,
                "Invalid parameter: k must be positive");
    check_error([&] { kmeans.predict(points, -1); }, KENTRO_STATUS_INVALID_PARAMETER,
                "Invalid parameter: k must be positive");
    const std::vector<float> wide(10);
    check_error([&] { kmeans.assign({wide, 5}, 1); }, KENTRO_STATUS_DIMENSION_MISMATCH,
                "Dimension mismatch: expected 2, got 5");
    check(kmeans.assign(points, 1).to_vectors() == kmeans.clusters().to_vectors(), "still usable");
}

void unusable_data() {
    kentro::KMeans kmeans(21);
    check_error([&] { kmeans.fit(points); }, KENTRO_STATUS_INSUFFICIENT_POINTS,
                "Number of points (20) must be at least as large as number of clusters (21)");
    kentro::KMeans huge(std::uint64_t{1} << 40);
    check_error(
        [&] { huge.fit(points); }, KENTRO_STATUS_INSUFFICIENT_POINTS,
        "Number of points (20) must be at least as large as number of clusters (1099511627776)");

    auto three = kentro::KMeans(3);
    std::vector<float> bad = data;
    bad[17] = std::numeric_limits<float>::quiet_NaN();
    bad[30] = std::numeric_limits<float>::infinity();
    const auto error = error_of([&] { three.fit({bad, 2}); });
    check(error.status() == KENTRO_STATUS_NOT_FINITE);
    check(std::string(error.what()).find("row 8, column 1 is NaN") != std::string::npos,
          error.what());
    check(error.row() == 8 && error.column() == 1);
    check_error([&] { three.fit({data.data(), 20, 0}); }, KENTRO_STATUS_INVALID_DATA,
                "Invalid data: the shape is 20 x 0; every point needs at least one column");
    const auto no_threads = error_of([&] { three.fit(points, 0); });
    check(no_threads.row() == -1 && no_threads.column() == -1);
    check_error([&] { kentro::Points(data.data(), 20, 2, 2, 1, 99); }, KENTRO_STATUS_INVALID_DATA,
                "Invalid data: dtype is 99, none of KENTRO_DTYPE_*");

    const float start[] = {1, 2, 3};
    auto with_start = kentro::KMeans(1).with_init(kentro::MatrixView(start, 1, 3));
    check(error_of([&] { with_start.fit(points); }).status() == KENTRO_STATUS_DIMENSION_MISMATCH);

    check(!three.is_trained());
    three.fit(points);
    check(three.is_trained(), "usable after errors");
}

} // namespace

int main() {
    return run({
        {"counts_must_be_positive", counts_must_be_positive},
        {"the_type_is_a_runtime_error", the_type_is_a_runtime_error},
        {"an_untrained_model", an_untrained_model},
        {"a_trained_model", a_trained_model},
        {"unusable_data", unusable_data},
    });
}
