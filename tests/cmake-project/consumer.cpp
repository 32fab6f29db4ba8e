#include <kentro.hpp>

#include <cstdio>
#include <vector>

int main() {
    try {
        const std::vector<float> data = {0, 0, 9, 9, 0, 1, 9, 8};
        auto kmeans = kentro::KMeans(2).with_euclidean(true);
        kmeans.fit({data, 2});
        const auto labels = kmeans.labels();
        const bool apart =
            labels[0] == labels[2] && labels[1] == labels[3] && labels[0] != labels[1];
        std::printf("Kentro %s: %s\n", kentro::version(), apart ? "two clusters" : "wrong labels");
    } catch (const kentro::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
