// Models in files and in memory, models of given centroids, and settings as
// they are.

#include "harness.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>

namespace {

const std::vector<float> data = blobs(300, 6);
const std::string path = "target/tmp/cpp-model.safetensors";

kentro::KMeans trained() {
    auto kmeans = kentro::KMeans(5).with_euclidean(true).with_balanced(true);
    kmeans.fit({data, 6});
    return kmeans;
}

void models_come_back() {
    const kentro::KMeans kmeans = trained();
    kmeans.save(path);
    const kentro::KMeans loaded = kentro::KMeans::load(path);
    check(std::remove(path.c_str()) == 0);
    check(loaded.to_bytes() == kmeans.to_bytes());
    check(loaded.predict({data, 6}) == kmeans.predict({data, 6}));
    check(loaded.predict_balanced({data, 6}) == kmeans.predict_balanced({data, 6}));
    check(loaded.inertia() == kmeans.inertia() && loaded.n_iter() == kmeans.n_iter());
    check(loaded.clusters().to_vectors() == kmeans.clusters().to_vectors());

    const auto lean = kentro::KMeans::from_bytes(kmeans.to_bytes(false));
    check(lean.labels().empty() && lean.n_points() == 300);
    check(lean.predict({data, 6}) == kmeans.predict({data, 6}));
    check(error_of([&] { lean.clusters(); }).status() == KENTRO_STATUS_INVALID_PARAMETER);
}

void callbacks_work_on_a_loaded_model() {
    const auto settings = kentro::KMeans::from_bytes(kentro::KMeans(3).to_bytes());
    int calls = 0;
    auto kmeans = settings.with_progress([&](const kentro::Progress& now) {
        calls = static_cast<int>(now.iteration);
        return true;
    });
    kmeans.fit({data, 6});
    check(calls > 0 && calls == static_cast<int>(kmeans.n_iter()));
}

void errors_have_the_number_of_the_system() {
    const kentro::Error missing = error_of([] { (void)kentro::KMeans::load("no/such/file"); });
    check(missing.status() == KENTRO_STATUS_IO && missing.os_code() == ENOENT);
    check_error([] { trained().save(std::string("a\0b", 3)); }, KENTRO_STATUS_INVALID_PARAMETER,
                "path has a NUL in it");
    auto bytes = trained().to_bytes();
    bytes[bytes.size() / 2] ^= 1;
    const kentro::Error broken = error_of([&] { (void)kentro::KMeans::from_bytes(bytes); });
    check(broken.status() == KENTRO_STATUS_INVALID_FILE && broken.os_code() == 0);
}

void given_centroids_make_a_model() {
    const kentro::KMeans kmeans = trained();
    const kentro::MatrixView centroids = kmeans.centroids();
    const kentro::Points points(centroids.data(), centroids.rows(), centroids.cols());
    const std::vector<double> prices(kmeans.prices().begin(), kmeans.prices().end());
    const auto given = kentro::KMeans::from_centroids(points, true, prices);
    check(given.predict({data, 6}) == kmeans.predict({data, 6}));
    check(given.predict_balanced({data, 6}) == kmeans.predict_balanced({data, 6}));
    check(given.labels().empty() && given.medoid_indices().empty());
    check(std::isnan(given.inertia()) && given.n_iter() == 0 && given.n_points() == 0);
    check(given.n_dimensions() == 6 && given.n_clusters() == 5);
    check_error([&] { (void)kentro::KMeans::from_centroids(points, true, {1.0}); },
                KENTRO_STATUS_INVALID_PARAMETER,
                "there are 1 prices, but 5 centroids; give one for each");

    const std::vector<float> far = {3, 4, -2, 0};
    const auto cosine = kentro::KMeans::from_centroids({far, 2}, false);
    check(cosine.centroids()[0][0] == 0.6f && cosine.centroids()[0][1] == 0.8f);
    check(cosine.prices().empty());
}

void settings_are_read_back() {
    const auto kmeans = kentro::KMeans(3)
                            .with_seed(9)
                            .with_tolerance(0.25)
                            .with_init(kentro::Init::kmeans_parallel)
                            .with_n_init(4)
                            .with_quality(kentro::Quality::best)
                            .with_memory_limit(5);
    check(kmeans.seed() == 9 && kmeans.tolerance() == 0.25 && kmeans.n_init() == 4);
    check(kmeans.init() == kentro::Init::kmeans_parallel);
    check(kmeans.quality() == kentro::Quality::best);
    check(kmeans.memory_limit() == std::optional<std::uint64_t>(5));
    check(!kentro::KMeans(3).memory_limit());
    check(kmeans.init_centroids().empty());
    const auto given = kentro::KMeans(2).with_init(kentro::MatrixView(data.data(), 2, 6));
    check(given.init() == kentro::Init::centroids);
    const std::vector<double> first = given.init_centroids();
    check(first.size() == 12);
    for (std::size_t i = 0; i < 12; ++i) check(first[i] == static_cast<double>(data[i]));
    check(kmeans.describe() ==
          "KMeans(n_clusters=3, iterations=25, euclidean=false, balanced=false, "
          "use_medoids=false, trained=false, seed=9, tolerance=0.25, init=k-means||, n_init=4, "
          "quality=best, memory_limit=5)");

    const kentro::KMeans again = trained().with_iterations(2).untrained();
    check(!again.is_trained() && again.iterations() == 2 && again.is_balanced());
}

void blocks_come_to_what_training_does() {
    const std::vector<float> start(data.begin(), data.begin() + 5 * 6);
    kentro::Block first({data.data(), 100, 6}, true);
    kentro::Block second({data.data() + 600, 200, 6}, true);
    std::vector<float> centroids = start;
    bool converged = false;
    for (int iteration = 0; iteration < 50 && !converged; ++iteration) {
        auto all = kentro::Partial::from_bytes(first.partial(centroids, 5, 1).to_bytes());
        auto update = all.merge(second.partial(centroids, 5)).finalize(centroids);
        check(update.changed.has_value() == (iteration > 0) && update.inertia == all.inertia());
        check(all.n_clusters() == 5 && all.n_dimensions() == 6 && all.cluster_sizes().size() == 5);
        centroids = std::move(update.centroids);
        converged = update.converged;
    }
    auto kmeans = kentro::KMeans(5).with_euclidean(true).with_iterations(50);
    kmeans = std::move(kmeans).with_init(kentro::MatrixView(start.data(), 5, 6));
    kmeans = std::move(kmeans).with_quality(kentro::Quality::fast);
    kmeans.fit({data, 6});
    const auto trained = kmeans.centroids();
    check(converged && centroids == std::vector<float>(trained.data(), trained.data() + 5 * 6));
    auto stream = kentro::KMeans(5).with_euclidean(true);
    for (std::size_t row : {0, 100, 200}) stream.partial_fit({data.data() + row * 6, 100, 6}, 0.1);
    check(stream.n_iter() == 3 && stream.labels().empty());
    check(second.rows() == 200 && second.labels().size() == 200);
    const std::vector<float> away = {0, 0, 0, 0, 0, 0, 1e6, 0, 0, 0, 0, 0};
    check(first.partial(away, 2).place_empty(away).has_value());
    const std::vector<float> one(6);
    check(!first.partial(one, 1).place_empty(one).has_value());
    second.forget();
    check(error_of([&] { (void)second.labels(); }).status() == KENTRO_STATUS_INVALID_PARAMETER);
    check(error_of([&] { (void)first.partial(start, 7); }).status() ==
          KENTRO_STATUS_INVALID_PARAMETER);
}

/// Numbers that float would not tell apart.
void blocks_with_the_ranges_of_all_lose_an_offset() {
    std::vector<double> far;
    for (std::size_t i = 0; i < 1800; ++i) far.push_back(static_cast<double>(i * i % 97) + 4e9);
    kentro::Block first({far.data(), 100, 6}, true);
    kentro::Block second({far.data() + 600, 200, 6}, true);
    std::vector<double> all = first.ranges(), ranges = second.ranges(1);
    check(all.size() == 12 && first.offset() == std::vector<double>(6));
    for (std::size_t column = 0; column < 6; ++column) {
        all[column] = std::min(all[column], ranges[column]);
        all[6 + column] = std::max(all[6 + column], ranges[6 + column]);
    }
    first.set_ranges(all);
    second.set_ranges(all);
    const std::vector<double> offset = first.offset();
    std::vector<float> centroids;
    for (std::size_t i = 0; i < 5 * 6; ++i)
        centroids.push_back(static_cast<float>(far[i] - offset[i % 6]));
    for (int iteration = 0; iteration < 4; ++iteration) {
        auto partial = first.partial(centroids, 5);
        centroids = partial.merge(second.partial(centroids, 5)).finalize(centroids).centroids;
    }
    auto kmeans = kentro::KMeans(5).with_euclidean(true).with_iterations(4);
    kmeans = std::move(kmeans).with_quality(kentro::Quality::fast);
    kmeans = std::move(kmeans).with_init(far.data(), 5, 6);
    kmeans.fit({far, 6});
    const auto trained = kmeans.centroids_f64();
    for (std::size_t i = 0; i < centroids.size(); ++i)
        check(trained.data()[i] == static_cast<double>(centroids[i]) + offset[i % 6]);
    const auto given = kentro::KMeans::from_centroids_less(centroids, offset);
    check(given.predict({far, 6}) == kmeans.predict({far, 6}));
    check(given.offset().size() == 6 && given.offset()[5] == offset[5]);
    check_error([&] { (void)kentro::KMeans::from_centroids_less(centroids, {1, 2, 3, 4}); },
                KENTRO_STATUS_INVALID_PARAMETER,
                "centroids must have as many columns as the offset has values");
    all.pop_back();
    check(error_of([&] { first.set_ranges(all); }).status() == KENTRO_STATUS_INVALID_PARAMETER);
}

void seeds_over_blocks_are_those_of_training() {
    std::vector<kentro::Block> blocks;
    blocks.emplace_back(kentro::Points{data.data(), 100, 6}, true);
    blocks.emplace_back(kentro::Points{data.data() + 600, 200, 6}, true);
    kentro::Seeding seeding(5, true, 3);
    check(error_of([&] { (void)seeding.centroids(); }).status() == KENTRO_STATUS_INVALID_PARAMETER);
    while (!seeding.done()) {
        std::vector<std::vector<std::uint8_t>> answers;
        for (std::size_t i = 0; i < blocks.size(); ++i)
            answers.push_back(seeding.ask(blocks[i], i, 1));
        seeding.take(answers);
    }
    const auto trained = [](kentro::KMeans kmeans) {
        kmeans = std::move(kmeans).with_euclidean(true).with_iterations(1).with_seed(3);
        kmeans = std::move(kmeans).with_quality(kentro::Quality::fast);
        kmeans.fit({data, 6});
        const auto values = kmeans.centroids();
        return std::vector<float>(values.data(), values.data() + 5 * 6);
    };
    const std::vector<float> seeds = seeding.centroids();
    check(trained(kentro::KMeans(5).with_init(kentro::Init::kmeans_parallel)) ==
          trained(kentro::KMeans(5).with_init(kentro::MatrixView(seeds.data(), 5, 6))));
}

} // namespace

int main() {
    return run({
        {"models_come_back", models_come_back},
        {"callbacks_work_on_a_loaded_model", callbacks_work_on_a_loaded_model},
        {"errors_have_the_number_of_the_system", errors_have_the_number_of_the_system},
        {"given_centroids_make_a_model", given_centroids_make_a_model},
        {"settings_are_read_back", settings_are_read_back},
        {"blocks_come_to_what_training_does", blocks_come_to_what_training_does},
        {"blocks_with_the_ranges_of_all_lose_an_offset",
         blocks_with_the_ranges_of_all_lose_an_offset},
        {"seeds_over_blocks_are_those_of_training", seeds_over_blocks_are_those_of_training},
    });
}
