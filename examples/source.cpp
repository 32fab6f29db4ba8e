// Trains on a file of float32 rows that need not fit into memory: a source lends one
// block of them after the other, as often as it is asked. The model is that of all rows
// together, bit for bit. Then tells how many rows each cluster has.
//
// c++ -std=c++17 -O2 examples/source.cpp $(pkg-config --cflags --libs kentro) -o source
// ./source ROWS.f32 N_DIMENSIONS N_CLUSTERS ROWS_PER_BLOCK

#include <kentro.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

class Reader : public kentro::Source {
public:
    Reader(const char* path, std::size_t dims, std::size_t most)
        : file_(path, std::ios::binary), rows_(most * dims), dims_(dims) {
        if (!file_) throw std::runtime_error(std::string(path) + " cannot be read");
    }

    void rewind() override {
        file_.clear(); // of having reached the end
        file_.seekg(0);
    }

    const kentro::Points* next() override {
        const std::size_t row = dims_ * sizeof(float);
        file_.read(reinterpret_cast<char*>(rows_.data()),
                   static_cast<std::streamsize>(rows_.size() * sizeof(float)));
        const std::size_t count = static_cast<std::size_t>(file_.gcount()) / row;
        if (file_.bad()) throw std::runtime_error("the file cannot be read"); // comes out of fit
        if (count == 0) return nullptr;
        points_.emplace(rows_.data(), count, dims_);
        return &*points_;
    }

private:
    std::ifstream file_;
    std::vector<float> rows_;
    std::size_t dims_;
    std::optional<kentro::Points> points_;
};

int main(int argc, char** argv) try {
    if (argc != 5)
        throw std::runtime_error("usage: source ROWS.f32 N_DIMENSIONS N_CLUSTERS ROWS_PER_BLOCK");
    const std::size_t clusters = std::stoul(argv[3]);
    Reader reader(argv[1], std::stoul(argv[2]), std::stoul(argv[4]));
    auto kmeans = kentro::KMeans(clusters)
                      .with_euclidean(true)
                      .with_quality(kentro::Quality::fast)
                      .with_memory_limit(500'000'000);
    kmeans.fit(reader);
    std::printf("inertia %.0f\n", kmeans.inertia());
    std::vector<std::size_t> sizes(clusters);
    kmeans.predict(reader, [&](kentro::View<std::uint32_t> labels) {
        for (const std::uint32_t label : labels) ++sizes[label];
    });
    for (std::size_t cluster = 0; cluster < clusters; ++cluster)
        std::printf("cluster %zu: %zu rows\n", cluster, sizes[cluster]);
} catch (const std::exception& error) {
    std::fprintf(stderr, "source: %s\n", error.what());
    return 1;
}
