// Clusters handwritten digits with each kind of model.
//
// g++ -std=c++17 -O2 examples/quickstart.cpp $(pkg-config --cflags --libs kentro) -o quickstart
// ./quickstart [DIGITS.csv]

#include <kentro.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

constexpr std::size_t n_clusters = 10;

struct Digits {
    std::vector<float> pixels; // row-major
    std::vector<int> digits;   // what each row shows

    std::size_t cols() const { return pixels.size() / digits.size(); }
};

// Each line is the 64 pixels of a digit, then the digit.
Digits read_digits(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + ": cannot be read");
    Digits data;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::replace(line.begin(), line.end(), ',', ' ');
        std::istringstream numbers(line);
        data.pixels.insert(data.pixels.end(), std::istream_iterator<float>(numbers), {});
        data.digits.push_back(static_cast<int>(data.pixels.back()));
        data.pixels.pop_back();
    }
    if (data.digits.empty()) throw std::runtime_error(path + ": no digits");
    return data;
}

// The share of points that show the digit most frequent in their cluster.
double purity(const kentro::Clusters& clusters, const std::vector<int>& digits) {
    std::size_t pure = 0;
    for (kentro::View<std::size_t> members : clusters) {
        std::array<std::size_t, 10> counts{};
        for (std::size_t row : members) ++counts.at(static_cast<std::size_t>(digits[row]));
        pure += *std::max_element(counts.begin(), counts.end());
    }
    return static_cast<double>(pure) / static_cast<double>(digits.size());
}

void cluster(const char* name, kentro::KMeans kmeans, const Digits& data) {
    kentro::Clusters clusters = kmeans.train({data.pixels, data.cols()});
    std::printf("%-10s inertia %12.1f  iterations %2zu  purity %.2f\n", name, kmeans.inertia(),
                kmeans.n_iter(), purity(clusters, data.digits));

    std::printf("  sizes   ");
    for (kentro::View<std::size_t> members : clusters) std::printf(" %zu", members.size());
    std::printf("\n");

    const char* separator = "  medoids ";
    for (std::size_t row : kmeans.medoid_indices()) {
        std::printf("%s row %zu is a %d", separator, row, data.digits[row]);
        separator = ",";
    }
    if (kmeans.is_use_medoids()) std::printf("\n");
}

int main(int argc, char** argv) {
    try {
        const Digits data = read_digits(argc > 1 ? argv[1] : "examples/data/digits.csv");
        std::printf("%zu handwritten digits, %zu pixels each, %zu clusters\n\n", data.digits.size(),
                    data.cols(), n_clusters);

        const kentro::KMeans kmeans(n_clusters);
        const kentro::KMeans euclidean = kmeans.with_euclidean(true);
        cluster("cosine", kmeans.clone(), data);
        cluster("euclidean", euclidean.clone(), data);
        cluster("balanced", euclidean.with_balanced(true), data);
        cluster("medoids", euclidean.with_use_medoids(true), data);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "quickstart: %s\n", error.what());
        return 1;
    }
}
