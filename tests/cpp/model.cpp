// Training, assignment, results, and what the objects may do.

#include "harness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>
#include <type_traits>

static_assert(!std::is_copy_constructible_v<kentro::KMeans> &&
              !std::is_copy_assignable_v<kentro::KMeans>);
static_assert(std::is_nothrow_move_constructible_v<kentro::KMeans>);
static_assert(std::is_nothrow_move_assignable_v<kentro::KMeans>);
static_assert(!std::is_copy_constructible_v<kentro::Clusters> &&
              std::is_nothrow_move_constructible_v<kentro::Clusters>);
static_assert(!std::is_copy_constructible_v<kentro::Points> &&
              std::is_nothrow_move_constructible_v<kentro::Points>);
static_assert(!std::is_convertible_v<double, kentro::Count> &&
              !std::is_convertible_v<bool, kentro::Count>);

namespace {

const std::vector<float> data = blobs(400, 6);

kentro::KMeans trained(std::size_t n_clusters = 4) {
    auto kmeans = kentro::KMeans(n_clusters).with_euclidean(true);
    kmeans.fit({data, 6});
    return kmeans;
}

void defaults() {
    const kentro::KMeans kmeans(3);
    check(kmeans.n_clusters() == 3 && kmeans.iterations() == 25 && kmeans.max_balance_diff() == 16);
    check(kmeans.min_size() == 0 && kmeans.max_size() == std::numeric_limits<std::size_t>::max());
    check(!kmeans.is_euclidean() && !kmeans.is_balanced() && !kmeans.is_use_medoids());
    check(!kmeans.is_verbose() && !kmeans.is_trained());
}

void chaining() {
    const auto kmeans = kentro::KMeans(3)
                            .with_iterations(50)
                            .with_euclidean(true)
                            .with_balanced(true)
                            .with_max_balance_diff(2)
                            .with_verbose(true)
                            .with_use_medoids(true)
                            .with_seed(std::numeric_limits<std::uint64_t>::max())
                            .with_tolerance(1e-4)
                            .with_init(kentro::Init::kmeans_plus_plus)
                            .with_n_init(2)
                            .with_quality(kentro::Quality::best)
                            .with_memory_limit(1 << 20);
    check(kmeans.iterations() == 50 && kmeans.max_balance_diff() == 2);
    check(kmeans.is_euclidean() && kmeans.is_balanced() && kmeans.is_verbose() &&
          kmeans.is_use_medoids());
}

void with_leaves_the_receiver_unchanged() {
    const kentro::KMeans cosine(3);
    const kentro::KMeans euclidean = cosine.with_euclidean(true);
    check(!cosine.is_euclidean() && euclidean.is_euclidean());

    kentro::KMeans kmeans = trained();
    const kentro::KMeans more = kmeans.with_iterations(7);
    check(more.is_trained() && more.iterations() == 7 && kmeans.iterations() == 25);
    check(more.assign({data, 6}, 1).to_vectors() == kmeans.clusters().to_vectors(),
          "the copy keeps the training");
}

void a_failed_setting_leaves_the_model_usable() {
    kentro::KMeans kmeans(4);
    error_of([&] { (void)std::move(kmeans).with_iterations(0); });
    check(kmeans.iterations() == 25);
    check(kmeans.train({data, 6}).size() == 4);
}

void moves() {
    kentro::KMeans first = trained();
    const auto expected = first.clusters().to_vectors();
    const kentro::View<std::uint32_t> labels = first.labels();
    kentro::KMeans second = std::move(first);
    check(second.labels().data() == labels.data(), "views outlive a move");
    first = kentro::KMeans(2);
    check(first.n_clusters() == 2 && !first.is_trained());
    first = std::move(second);
    check(first.clusters().to_vectors() == expected);

    kentro::Clusters clusters = first.clusters();
    const kentro::Clusters moved = std::move(clusters);
    check(moved.to_vectors() == expected);
}

void clones_are_independent() {
    kentro::KMeans clone = [] { return trained().clone(); }(); // the original is gone
    check(clone.is_trained() && clone.labels().size() == 400);

    kentro::KMeans untrained(4);
    kentro::KMeans other = untrained.clone();
    untrained.fit({data, 6});
    check(!other.is_trained());
    other.fit({data, 6});
}

void train_returns_a_partition() {
    auto kmeans = kentro::KMeans(4).with_euclidean(true);
    const kentro::Clusters clusters = kmeans.train({data, 6}, 2);
    check(clusters.size() == 4 && clusters.offsets().size() == 5 &&
          clusters.members().size() == 400);
    std::vector<bool> seen(400);
    for (kentro::View<std::size_t> members : clusters) {
        check(members.size() == 100 && !members.empty());
        check(std::is_sorted(members.begin(), members.end()));
        for (std::size_t row : members) {
            check(!seen[row] && row % 4 == members[0] % 4, "blobs stay together");
            seen[row] = true;
        }
    }
    check(std::distance(clusters.begin(), clusters.end()) == 4);
    check(clusters.to_vectors() == kmeans.clusters().to_vectors());
    check(kmeans.warnings().empty() && kmeans.medoid_indices().empty());
    check(kmeans.cluster_parents().empty());
    kmeans = kmeans.untrained().with_init(kentro::Init::tree);
    kmeans.train({data, 400}, 1);
    check(kmeans.init() == kentro::Init::tree && kmeans.cluster_parents().size() == 4);
}

void results_agree_with_brute_force() {
    const kentro::KMeans kmeans = trained();
    const kentro::MatrixView centroids = kmeans.centroids();
    check(centroids.rows() == 4 && centroids.cols() == 6 &&
          centroids[3].data() == centroids.data() + 18);
    check(kmeans.n_iter() >= 1 && kmeans.n_iter() <= 25);

    std::vector<std::uint32_t> labels(400 * 4);
    std::vector<double> distances(400 * 4);
    check(kmeans.predict_into({data, 6}, 1000, labels, distances) == 4);
    check_error([&] { kmeans.predict_into({data, 6}, 2, {labels.data(), 799}); },
                KENTRO_STATUS_INVALID_PARAMETER,
                "labels_capacity is 799, but 400 rows x 2 labels are 800; give room for as many");
    double inertia = 0;
    for (std::size_t i = 0; i < 400; ++i) {
        std::vector<double> expected;
        for (std::size_t j = 0; j < 4; ++j)
            expected.push_back(squared_distance(&data[i * 6], centroids[j].data(), 6));
        inertia += expected[kmeans.labels()[i]];
        check(labels[i * 4] == kmeans.labels()[i]);
        for (std::size_t t = 0; t < 4; ++t) {
            const double distance = distances[i * 4 + t];
            check(std::abs(distance - expected[labels[i * 4 + t]]) <= 1e-4 * (1 + distance),
                  "distance");
            check(t == 0 || distances[i * 4 + t - 1] <= distance, "nearest first");
        }
    }
    check(std::abs(kmeans.inertia() - inertia) <= 1e-4 * inertia, "inertia");
}

template <class T>
using Members = decltype(std::declval<T>().members());
template <class T>
using Offsets = decltype(std::declval<T>().offsets());
template <class T>
using First = decltype(std::declval<T>()[0]);
template <class T>
using Begin = decltype(std::declval<T>().begin());
template <class T>
using End = decltype(std::declval<T>().end());
template <class T>
using Labels = decltype(std::declval<T>().labels());
template <class T>
using Centroids = decltype(std::declval<T>().centroids());

template <template <class> class View, class T, class = void>
constexpr bool compiles = false;
template <template <class> class View, class T>
constexpr bool compiles<View, T, std::void_t<View<T>>> = true;

template <template <class> class View, class T>
constexpr bool lends_from_what_stays =
    compiles<View, const T&> && !compiles<View, T> && !compiles<View, const T>;

void temporaries_lend_nothing() {
    using kentro::Clusters;
    static_assert(lends_from_what_stays<Members, Clusters>);
    static_assert(lends_from_what_stays<Offsets, Clusters>);
    static_assert(lends_from_what_stays<First, Clusters>);
    static_assert(lends_from_what_stays<Begin, Clusters>);
    static_assert(lends_from_what_stays<End, Clusters>);
    static_assert(lends_from_what_stays<Labels, kentro::KMeans>);
    static_assert(lends_from_what_stays<Centroids, kentro::KMeans>);
    std::size_t count = 0; // a loop keeps what it walks through
    for (kentro::View<std::size_t> members : trained().assign({data, 6}, 1)) count += members.size();
    check(count == 400);
}

void assign_to_the_k_nearest() {
    const kentro::KMeans kmeans = trained(16);
    check(kmeans.assign({data, 6}, 1).to_vectors() == kmeans.clusters().to_vectors());

    const std::vector<std::uint32_t> labels = kmeans.predict({data, 6}, 8);
    check(labels.size() == 400 * 8);
    std::vector<std::vector<std::size_t>> expected(16);
    for (std::size_t i = 0; i < 400; ++i) {
        for (std::size_t t = 0; t < 8; ++t) expected[labels[i * 8 + t]].push_back(i);
    }
    check(kmeans.assign({data, 6}, 8).to_vectors() == expected);

    for (kentro::View<std::size_t> members : kmeans.assign({data, 6}, 1000, 1))
        check(members.size() == 400);
    check(kmeans.predict({data, 6}, 1000).size() == 400 * 16);

    const kentro::Clusters none = kmeans.assign({data.data(), 0, 6}, 1);
    check(none.size() == 16 && none.members().empty() && none[15].empty());
}

void cosine_ignores_lengths() {
    std::vector<float> scaled = data;
    for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] *= static_cast<float>(1 << i / 6 % 5);
    std::fill(scaled.begin(), scaled.begin() + 6, 0.0f);
    kentro::KMeans kmeans(4);
    kmeans.fit({scaled, 6});
    check(kmeans.labels()[0] == 0, "a zero row goes to the first cluster");
    for (std::size_t j = 0; j < 4; ++j) {
        const kentro::View<float> centroid = kmeans.centroids()[j];
        const float length =
            std::inner_product(centroid.begin(), centroid.end(), centroid.begin(), 0.0f);
        check(std::abs(length - 1) < 1e-5f, "centroids are unit vectors");
    }
    for (std::size_t i = 5; i < 400; ++i) check(kmeans.labels()[i] == kmeans.labels()[i - 4]);
}

void threads_do_not_change_the_result() {
    const std::vector<float> larger = blobs(20000, 16);
    std::vector<float> reference;
    const std::optional<kentro::Count> counts[] = {std::nullopt, 1, 2, 8, 1000000000};
    for (auto num_threads : counts) {
        auto kmeans = kentro::KMeans(9).with_euclidean(true).with_iterations(5);
        kmeans.fit({larger, 16}, num_threads);
        const std::vector<float> centroids(kmeans.centroids().data(),
                                           kmeans.centroids().data() + 9 * 16);
        if (reference.empty()) reference = centroids;
        check(centroids == reference);
    }
}

void one_model_serves_many_threads() {
    const kentro::KMeans kmeans = trained();
    const auto expected = kmeans.clusters().to_vectors();
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (std::size_t t = 0; t < wrong.size(); ++t) {
        threads.emplace_back([&, t] {
            // Each thread has an error of its own.
            const std::string text = "Dimension mismatch: expected 6, got " + std::to_string(t + 1);
            for (int i = 0; i < 5000; ++i) {
                if (i % 500 == 0) wrong[t] += kmeans.assign({data, 6}, 1).to_vectors() != expected;
                try {
                    kmeans.assign({data.data(), 1, t + 1}, 1);
                    ++wrong[t];
                } catch (const kentro::Error& error) {
                    wrong[t] += error.what() != text;
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    check(std::accumulate(wrong.begin(), wrong.end(), 0) == 0);
}

void given_centroids_and_seeds() {
    const std::vector<float> start = {data.begin(), data.begin() + 4 * 6};
    auto kmeans =
        kentro::KMeans(4).with_euclidean(true).with_init(kentro::MatrixView(start.data(), 4, 6));
    kmeans.fit({data, 6});
    for (std::size_t i = 0; i < 400; ++i) check(kmeans.labels()[i] == i % 4);

    auto again = kentro::KMeans(4).with_euclidean(true).with_init(kmeans.centroids());
    again.fit({data, 6});
    check(again.inertia() <= kmeans.inertia() * (1 + 1e-9));

    const std::vector<double> distances = kmeans.transform({data, 6});
    check(distances.size() == 1600 && std::abs(kmeans.score({data, 6}) + kmeans.inertia()) <
                                          1e-9 * kmeans.inertia());
    kentro::Points twice(data, 6);
    const std::vector<float> two(400, 2);
    twice.set_weights({two.data(), two.size()});
    check(kmeans.score(twice) == 2 * kmeans.score({data, 6}));
    auto weighted = again.untrained();
    weighted.fit(twice);
    check(weighted.inertia() == 2 * again.inertia());
    check(weighted.labels()[7] == again.labels()[7]);
    check(weighted.cluster_weights()[3] == 200 && again.cluster_weights()[3] == 100);

    // Numbers of more digits than float32.
    std::vector<std::int64_t> times;
    for (int i = 0; i < 24; ++i) times.push_back(1'000'000'000 + i % 8);
    const std::vector<double> apart(times.begin(), times.begin() + 8);
    auto wide = kentro::KMeans(8).with_euclidean(true).with_init(apart.data(), 8, 1);
    wide.fit({times, 1});
    check(wide.inertia() == 0 && wide.centroids_f64() == apart);
    check(wide.offset().size() == 1 && kmeans.offset().empty());
    check(wide.cluster_sizes().size() == 8 && wide.cluster_sizes()[7] == 3);

    for (std::uint64_t seed : {0u, 1u, 2u}) {
        const auto seeded = [&] {
            auto model = kentro::KMeans(20).with_seed(seed);
            return model.train({data, 6}).to_vectors();
        };
        check(seeded() == seeded());
    }
}

void balanced_sizes_stay_within_the_bound() {
    // Three quarters of the rows lie in one corner.
    std::vector<float> uneven = data;
    for (std::size_t i = 0; i < 300; ++i) std::copy_n(&data[i % 100 * 4 * 6], 6, &uneven[i * 6]);
    for (std::size_t bound : {1u, 16u}) {
        auto kmeans =
            kentro::KMeans(7).with_euclidean(true).with_balanced(true).with_max_balance_diff(bound);
        const kentro::Clusters clusters = kmeans.train({uneven, 6});
        std::size_t smallest = 400, largest = 0;
        for (kentro::View<std::size_t> members : clusters) {
            smallest = std::min(smallest, members.size());
            largest = std::max(largest, members.size());
        }
        check(clusters.members().size() == 400 && largest - smallest <= bound);
        check(kmeans.balance_gap() <= 1e-6 && kmeans.info().empty());
    }
}

void sizes_lie_between_given_bounds() {
    const kentro::KMeans free = kentro::KMeans(7).with_euclidean(true);
    auto kmeans = free.with_size_bounds(40, 80);
    check(kmeans.is_balanced() && kmeans.min_size() == 40 && kmeans.max_size() == 80);
    check(!free.is_balanced() && kmeans.with_max_balance_diff(3).min_size() == 0);
    for (kentro::View<std::size_t> members : kmeans.train({data, 6}))
        check(members.size() >= 40 && members.size() <= 80);
}

void prices_spread_points_that_nearest_centroids_do_not() {
    std::vector<float> uneven = data;
    for (std::size_t i = 0; i < 300; ++i) std::copy_n(&data[i % 100 * 4 * 6], 6, &uneven[i * 6]);
    auto kmeans = kentro::KMeans(7).with_euclidean(true).with_balanced(true);
    kmeans.fit({uneven, 6});
    const auto spread = [](const std::vector<std::uint32_t>& labels) {
        std::vector<std::ptrdiff_t> sizes(7);
        for (std::uint32_t label : labels) ++sizes[label];
        const auto ends = std::minmax_element(sizes.begin(), sizes.end());
        return *ends.second - *ends.first;
    };
    check(spread(kmeans.predict_balanced({uneven, 6})) < spread(kmeans.predict({uneven, 6})));
}

void medoids_are_points_of_their_clusters() {
    auto kmeans = kentro::KMeans(4).with_euclidean(true).with_use_medoids(true);
    kmeans.fit({data, 6});
    const kentro::View<std::size_t> medoids = kmeans.medoid_indices();
    check(medoids.size() == 4);
    double loss = 0;
    for (std::size_t j = 0; j < 4; ++j) {
        check(kmeans.labels()[medoids[j]] == j);
        const kentro::View<float> centroid = kmeans.centroids()[j];
        check(std::equal(centroid.begin(), centroid.end(), &data[medoids[j] * 6]),
              "the centroid is the row");
    }
    for (std::size_t i = 0; i < 400; ++i) {
        const std::size_t medoid = medoids[kmeans.labels()[i]];
        check(medoid % 4 == i % 4, "blobs stay together");
        loss += std::sqrt(squared_distance(&data[i * 6], &data[medoid * 6], 6));
    }
    check(std::abs(kmeans.inertia() - loss) <= 1e-5 * loss, "distances are not squared");
    check(kmeans.assign({data, 6}, 1).to_vectors() == kmeans.clusters().to_vectors());
}

void small_shapes() {
    const std::vector<float> line = {3, 1, 2};
    auto each = kentro::KMeans(3).with_euclidean(true);
    for (kentro::View<std::size_t> members : each.train({line, 1}))
        check(members.size() == 1, "n = k");

    const std::vector<float> same(10, 1.0f);
    auto surplus = kentro::KMeans(3).with_euclidean(true);
    const kentro::Clusters clusters = surplus.train({same, 2});
    check(clusters.members().size() == 5);
    check(surplus.warnings().size() == 1, "fewer distinct points than clusters");
}

void huge_values() {
    std::vector<float> huge = data;
    for (float& value : huge) value *= 1e29f;
    auto kmeans = kentro::KMeans(4).with_euclidean(true);
    kmeans.fit({huge, 6});
    for (std::size_t i = 4; i < 400; ++i) check(kmeans.labels()[i] == kmeans.labels()[i - 4]);
}

void sweeps_silhouettes_and_representatives() {
    std::vector<float> data;
    for (int i = 0; i < 120; ++i) {
        data.push_back(static_cast<float>(i % 3 * 10) + static_cast<float>(i % 7) / 10);
        data.push_back(static_cast<float>(i % 3 % 2 * 20) + static_cast<float>(i) / 100);
    }
    const kentro::Points points(data.data(), 120, 2);
    const auto steps = kentro::KMeans(9).with_euclidean(true).sweep(points, {1, 2, 3});
    check(steps.size() == 3);
    check(steps[0].silhouette != steps[0].silhouette, "NaN for one cluster");
    check(steps[2].model.n_clusters() == 3 && steps[2].silhouette > 0.8);
    check(steps[2].model.inertia() < steps[1].model.inertia());
    const kentro::KMeans& model = steps[2].model;
    const std::vector<std::uint32_t> labels(model.labels().begin(), model.labels().end());
    const kentro::Silhouette all = kentro::silhouette(points, labels, true);
    check(all.exact && all.rows == 120 && all.score > 0.8);
    const kentro::Silhouette some = kentro::silhouette(points, labels, true, 20, 1, 1);
    check(!some.exact && some.rows == 20);
    check(error_of([&] { kentro::silhouette(points, labels, true, 0); }).status() ==
          KENTRO_STATUS_INVALID_PARAMETER);
    const kentro::Clusters nearest = model.representatives(points, 2);
    for (std::size_t cluster = 0; cluster < 3; ++cluster) {
        check(nearest[cluster].size() == 2);
        for (std::size_t row : nearest[cluster]) check(labels[row] == cluster);
    }
    check_error([&] { (void)kentro::KMeans(2).sweep(points, {3, 2}); },
                KENTRO_STATUS_INVALID_PARAMETER, "ks must ascend, got 2 after 3");
}

void amx_is_forbidden_and_allowed() {
    const std::vector<float> data(64 * 40, 1.0F);
    for (const bool allowed : {false, true}) {
        kentro::allow_amx(allowed);
        check(kentro::KMeans(2).train(kentro::Points(data.data(), 64, 40)).size() == 2);
    }
}

void the_default_of_threads_is_set_and_read() {
    const std::size_t all = kentro::default_threads();
    kentro::set_default_threads(1);
    check(kentro::default_threads() == 1, "one");
    kentro::set_default_threads(KENTRO_ALL_THREADS);
    check(kentro::default_threads() == all, "all");
    check(error_of([] { kentro::set_default_threads(-1); }).status() ==
          KENTRO_STATUS_INVALID_PARAMETER);
}

} // namespace

int main() {
    return run({
        {"sweeps_silhouettes_and_representatives", sweeps_silhouettes_and_representatives},
        {"amx_is_forbidden_and_allowed", amx_is_forbidden_and_allowed},
        {"the_default_of_threads_is_set_and_read", the_default_of_threads_is_set_and_read},
        {"defaults", defaults},
        {"chaining", chaining},
        {"with_leaves_the_receiver_unchanged", with_leaves_the_receiver_unchanged},
        {"a_failed_setting_leaves_the_model_usable", a_failed_setting_leaves_the_model_usable},
        {"moves", moves},
        {"clones_are_independent", clones_are_independent},
        {"train_returns_a_partition", train_returns_a_partition},
        {"results_agree_with_brute_force", results_agree_with_brute_force},
        {"temporaries_lend_nothing", temporaries_lend_nothing},
        {"assign_to_the_k_nearest", assign_to_the_k_nearest},
        {"cosine_ignores_lengths", cosine_ignores_lengths},
        {"threads_do_not_change_the_result", threads_do_not_change_the_result},
        {"one_model_serves_many_threads", one_model_serves_many_threads},
        {"given_centroids_and_seeds", given_centroids_and_seeds},
        {"balanced_sizes_stay_within_the_bound", balanced_sizes_stay_within_the_bound},
        {"sizes_lie_between_given_bounds", sizes_lie_between_given_bounds},
        {"prices_spread_points_that_nearest_centroids_do_not",
         prices_spread_points_that_nearest_centroids_do_not},
        {"medoids_are_points_of_their_clusters", medoids_are_points_of_their_clusters},
        {"small_shapes", small_shapes},
        {"huge_values", huge_values},
    });
}
