// Training on rows that come block by block.

#include "harness.hpp"

#include <algorithm>
#include <optional>

namespace {

constexpr std::size_t rows = 500;
constexpr std::size_t cols = 3;

std::vector<double> data() {
    std::vector<double> values;
    for (std::size_t i = 0; i < rows * cols; ++i)
        values.push_back(static_cast<double>(i * i % 997) + 1e9);
    return values;
}

class Parts : public kentro::Source {
public:
    explicit Parts(const std::vector<double>& values) : values_(values) {}

    void rewind() override {
        next_ = 0;
        ++passes;
    }

    const kentro::Points* next() override {
        if (passes == fails_in_pass && next_ > 0) throw std::out_of_range("the tape is torn");
        const std::size_t count = std::min<std::size_t>(110, rows - next_);
        if (count == 0) return nullptr;
        points_.emplace(values_.data() + next_ * cols, count, cols);
        next_ += count;
        return &*points_;
    }

    int passes = 0;
    int fails_in_pass = -1;

private:
    const std::vector<double>& values_;
    std::optional<kentro::Points> points_;
    std::size_t next_ = 0;
};

kentro::KMeans model() {
    return kentro::KMeans(6).with_euclidean(true).with_quality(kentro::Quality::fast);
}

void a_source_trains_like_an_array() {
    const std::vector<double> values = data();
    Parts parts(values);
    kentro::KMeans together = model(), streamed = model();
    together.fit({values, cols});
    streamed.fit(parts);
    check(std::equal(together.labels().begin(), together.labels().end(),
                     streamed.labels().begin()),
          "labels");
    check(together.inertia() == streamed.inertia(), "inertia");
    std::vector<std::uint32_t> found;
    streamed.predict(parts, [&](kentro::View<std::uint32_t> labels) {
        found.insert(found.end(), labels.begin(), labels.end());
    });
    check(found == streamed.predict({values, cols}), "predictions");
}

void what_a_source_throws_comes_out() {
    const std::vector<double> values = data();
    Parts parts(values);
    kentro::KMeans kmeans = model();
    parts.fails_in_pass = 4;
    bool thrown = false;
    try {
        kmeans.fit(parts);
    } catch (const std::out_of_range& error) {
        thrown = error.what() == std::string("the tape is torn");
    }
    check(thrown && !kmeans.is_trained(), "the source's error");
    kmeans.fit(parts);
    thrown = false;
    try {
        kmeans.predict(parts, [](kentro::View<std::uint32_t>) { throw std::logic_error("full"); });
    } catch (const std::logic_error& error) {
        thrown = error.what() == std::string("full");
    }
    check(thrown, "the caller's error");
    kentro::KMeans best = model().with_quality(kentro::Quality::best);
    check(error_of([&] { best.fit(parts); }).status() == KENTRO_STATUS_INVALID_PARAMETER,
          "a quality that needs rows at hand");
}

} // namespace

int main() {
    return run({
        {"a_source_trains_like_an_array", a_source_trains_like_an_array},
        {"what_a_source_throws_comes_out", what_a_source_throws_comes_out},
    });
}
