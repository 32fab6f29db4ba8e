// The life of a model: training with weights that is cancelled from another
// thread, training that is stopped and kept, saving; and in another process
// loading and asking for the nearest clusters with their distances.
//
// c++ -std=c++17 -O2 examples/lifecycle.cpp $(pkg-config --cflags --libs kentro) -lpthread -o lifecycle
// ./lifecycle train MODEL && ./lifecycle ask MODEL

#include <kentro.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

constexpr std::size_t n_rows = 2000, n_cols = 8, nearest = 2, asked = 3;

struct Data {
    std::vector<float> rows;
    std::vector<double> weights;
};

// Five heaps that overlap; rows of weight 0 count as if they were not there.
Data make_data() {
    Data data;
    std::uint64_t state = 1;
    for (std::size_t i = 0; i < n_rows; ++i) {
        data.weights.push_back(static_cast<double>(i % 4));
        for (std::size_t j = 0; j < n_cols; ++j) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const auto noise = static_cast<float>(state >> 40) / (1 << 24);
            data.rows.push_back(static_cast<float>(i * (j + 1) % 5) / 2 + noise);
        }
    }
    return data;
}

void train(const kentro::Points& points, const std::string& path) {
    auto kmeans = kentro::KMeans(8).with_euclidean(true).with_n_init(
        1000000); // longer than anybody waits

    const kentro::CancelToken token;
    std::thread other([&] { // or a signal handler
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        token.request();
    });
    try {
        kmeans.with_cancel(token).fit(points);
    } catch (const kentro::Error& error) {
        if (error.status() == KENTRO_STATUS_CANCELLED)
            std::printf("trained and cancelled: %s\n", error.what());
    }
    other.join();

    kmeans = std::move(kmeans).with_progress([](const kentro::Progress& now) {
        return now.total >= 3 ? kentro::Answer::stop() : kentro::Answer(true);
    });
    kmeans.fit(points);
    const kentro::View<std::uint32_t> labels = kmeans.labels();
    const std::vector<std::uint32_t> again = kmeans.predict(points);
    const bool whole = std::equal(labels.begin(), labels.end(), again.begin(), again.end());
    std::printf("trained and stopped: %zu iterations, inertia %.3f, %s\n", kmeans.n_iter(),
                kmeans.inertia(), whole ? "a whole model" : "half a model");

    kmeans.save(path);
    std::printf("saved: %s\n", kmeans.describe().c_str());
}

void ask(const kentro::Points& points, const Data& data, const std::string& path) {
    const auto kmeans = kentro::KMeans::load(path);
    std::printf("loaded: %s\n", kmeans.describe().c_str());

    std::vector<std::uint32_t> labels(asked * nearest);
    std::vector<double> distances(asked * nearest);
    const std::size_t width =
        kmeans.predict_into({data.rows.data(), asked, n_cols}, nearest, labels, distances);
    for (std::size_t i = 0; i < asked; ++i) {
        std::printf("row %zu:", i);
        for (std::size_t j = i * width; j < (i + 1) * width; ++j)
            std::printf(" cluster %u at %.6f", static_cast<unsigned>(labels[j]), distances[j]);
        std::printf("\n");
    }
    std::printf("score: %.3f\n", kmeans.score(points));
}

int main(int argc, char** argv) {
    const std::string what = argc == 3 ? argv[1] : "";
    if (what != "train" && what != "ask") {
        std::fprintf(stderr, "usage: lifecycle train|ask MODEL\n");
        return 1;
    }
    try {
        const Data data = make_data();
        kentro::Points points(data.rows, n_cols);
        points.set_weights({data.weights.data(), data.weights.size()});
        what == "train" ? train(points, argv[2]) : ask(points, data, argv[2]);
    } catch (const kentro::Error& error) {
        std::fprintf(stderr, "lifecycle: %s\n", error.what());
        return 1;
    }
}
