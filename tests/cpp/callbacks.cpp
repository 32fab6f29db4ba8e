// Progress, polling and log: order, thread, cancelling, and exceptions.

#include "harness.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

namespace {

const std::vector<float> data = blobs(2000, 8);
const kentro::Points points(data, 8);

// Uneven data, for which ten clusters need several iterations.
kentro::KMeans model() { return kentro::KMeans(10).with_euclidean(true); }

struct Stop {
    int number;
};

// What `call` throws must be the Stop that a callback threw.
template <class Call>
void check_stop(Call call, int number, int line = __builtin_LINE()) {
    try {
        call();
    } catch (const Stop& stop) {
        check(stop.number == number, "the number thrown", line);
        return;
    }
    check(false, "nothing was thrown, which", line);
}

void progress_tells_every_iteration() {
    std::vector<kentro::Progress> seen;
    const auto caller = std::this_thread::get_id();
    bool elsewhere = false;
    auto kmeans = model().with_progress([&](const kentro::Progress& now) {
        elsewhere |= std::this_thread::get_id() != caller;
        if (now.iteration > seen.size()) seen.push_back(now);
        return true;
    });
    kmeans.fit(points, 2);
    check(!elsewhere, "on the caller's thread");
    check(seen.size() >= 2 && seen.size() == kmeans.n_iter());
    for (std::size_t i = 0; i < seen.size(); ++i) {
        check(seen[i].iteration == i + 1 && seen[i].total == i + 1 && seen[i].run == 1);
        check(seen[i].phase == kentro::Phase::iterating);
        check(i == 0 || (seen[i].seconds >= seen[i - 1].seconds &&
                         seen[i].inertia <= seen[i - 1].inertia * 1.000001));
    }
    check(seen[0].changed == 2000, "all points are new at first");
}

void progress_cancels() {
    auto kmeans =
        model().with_progress([](const kentro::Progress& now) { return now.iteration < 2; });
    check(error_of([&] { kmeans.fit(points); }).status() == KENTRO_STATUS_CANCELLED);
    check(!kmeans.is_trained());
    kmeans = std::move(kmeans).with_progress(nullptr);
    kmeans.fit(points);
    check(kmeans.is_trained(), "usable after a cancelled run");
}

void progress_stops_and_keeps_the_model() {
    auto kmeans = model().with_n_init(100).with_progress(
        [](const kentro::Progress& now) -> kentro::Answer {
            return now.total < 2 ? kentro::Answer(true) : kentro::Answer::stop();
        });
    kmeans.fit(points);
    check(kmeans.n_iter() <= 3);
    const auto labels = kmeans.labels();
    check(kmeans.predict(points) == std::vector<std::uint32_t>(labels.begin(), labels.end()));
}

void a_token_cancels_from_another_thread() {
    const kentro::CancelToken token;
    auto kmeans = model().with_n_init(1000000).with_cancel(token);
    std::thread other([token] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        token.request();
    });
    check(error_of([&] { kmeans.fit(points); }).status() == KENTRO_STATUS_CANCELLED);
    other.join();
    check(error_of([&] { kmeans.fit(points); }).status() == KENTRO_STATUS_CANCELLED, "again");
    check(!kmeans.is_trained());
}

void a_throwing_progress_callback() {
    auto kmeans = model().with_progress([](const kentro::Progress& now) -> bool {
        if (now.iteration == 2) throw Stop{7};
        return true;
    });
    check_stop([&] { kmeans.fit(points); }, 7);
    check(!kmeans.is_trained());
    check_stop([&] { kmeans.train(points); }, 7); // and again
    auto calm = std::move(kmeans).with_progress(nullptr);
    calm.fit(points);
    check(calm.is_trained());
}

void polling_cancels_and_throws() {
    const std::vector<float> larger = blobs(200000, 32);
    int calls = 0;
    auto kmeans = kentro::KMeans(200).with_iterations(1000).with_poll([&] { return ++calls < 3; });
    check(error_of([&] { kmeans.fit({larger, 32}); }).status() == KENTRO_STATUS_CANCELLED);
    check(calls == 3, "not called again once it has cancelled");
    check(!kmeans.is_trained());

    kmeans = std::move(kmeans).with_poll([]() -> bool { throw Stop{8}; });
    check_stop([&] { kmeans.fit({larger, 32}); }, 8);
    check(!kmeans.is_trained());
}

void log_gets_verbose_lines_and_warnings() {
    std::vector<std::string> lines;
    auto kmeans =
        model().with_verbose(true).with_log([&](kentro::LogLevel level, const char* message) {
            check(level == kentro::LogLevel::info);
            lines.emplace_back(message);
        });
    kmeans.fit(points);
    const auto iterations = std::count_if(lines.begin(), lines.end(), [](const auto& line) {
        return line.find("iteration ") != std::string::npos;
    });
    check(static_cast<std::size_t>(iterations) == kmeans.n_iter());

    const std::vector<float> same(10, 1.0f);
    std::vector<std::string> warnings;
    auto surplus = kentro::KMeans(3).with_log([&](kentro::LogLevel level, const char* message) {
        if (level == kentro::LogLevel::warning) warnings.emplace_back(message);
    });
    surplus.fit({same, 2});
    check(warnings == surplus.warnings() && warnings.size() == 1);
}

void a_throwing_log_callback() {
    int lines = 0;
    auto kmeans = model().with_verbose(true).with_log([&](kentro::LogLevel, const char*) {
        ++lines;
        throw Stop{9};
    });
    check_stop([&] { kmeans.fit(points); }, 9);
    check(lines == 1 && !kmeans.is_trained());

    // A warning comes when all is done.
    const std::vector<float> same(10, 1.0f);
    auto surplus =
        kentro::KMeans(3).with_log([](kentro::LogLevel, const char*) { throw Stop{10}; });
    check_stop([&] { surplus.fit({same, 2}); }, 10);
    check(!surplus.is_trained());
    surplus = std::move(surplus).with_log(nullptr);
    surplus.fit({same, 2});
    check(surplus.is_trained());
}

void a_callback_may_use_another_model() {
    auto outer = model().with_progress([](const kentro::Progress& now) {
        auto inner =
            model().with_progress([](const kentro::Progress&) -> bool { throw Stop{11}; });
        check_stop([&] { inner.fit(points); }, 11);
        check(error_of([] { kentro::KMeans(0); }).status() == KENTRO_STATUS_INVALID_N_CLUSTERS);
        return now.iteration < 3;
    });
    check(error_of([&] { outer.fit(points); }).status() == KENTRO_STATUS_CANCELLED);
}

void clones_share_callbacks_and_keep_them_alive() {
    auto calls = std::make_shared<int>(0);
    auto clone = [&] {
        const auto original =
            model().with_progress([calls](const kentro::Progress&) { return ++*calls > 0; });
        return original.clone();
    }();
    clone.fit(points);
    check(*calls > 0);
    const int before = *calls;
    const auto silent = clone.with_progress(nullptr);
    check(calls.use_count() == 2, "one copy here, one in the model");
    auto moved = model().with_progress([calls](const kentro::Progress&) { return ++*calls > 0; });
    auto target = std::move(moved);
    target.fit(points);
    check(*calls > before, "a moved model keeps its callbacks");
}

} // namespace

int main() {
    return run({
        {"progress_tells_every_iteration", progress_tells_every_iteration},
        {"progress_cancels", progress_cancels},
        {"progress_stops_and_keeps_the_model", progress_stops_and_keeps_the_model},
        {"a_token_cancels_from_another_thread", a_token_cancels_from_another_thread},
        {"a_throwing_progress_callback", a_throwing_progress_callback},
        {"polling_cancels_and_throws", polling_cancels_and_throws},
        {"log_gets_verbose_lines_and_warnings", log_gets_verbose_lines_and_warnings},
        {"a_throwing_log_callback", a_throwing_log_callback},
        {"a_callback_may_use_another_model", a_callback_may_use_another_model},
        {"clones_share_callbacks_and_keep_them_alive", clones_share_callbacks_and_keep_them_alive},
    });
}
