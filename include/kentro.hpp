/// \file kentro.hpp
/// Kentro for C++17 and later: K-means, balanced K-means and K-medoids.
///
///     std::vector<float> data = ...;                   // row-major, 64 columns
///     auto kmeans = kentro::KMeans(10).with_iterations(50).with_euclidean(true);
///     kentro::Clusters clusters = kmeans.train({data, 64});
///     for (kentro::View<std::size_t> members : clusters) { ... }
///
/// A thin, header-only face of kentro.h. Everything that fails throws
/// kentro::Error. Objects are move-only and free what they own. A moved-from
/// object may only be destroyed or assigned to.
///
/// Threads: const member functions of one object may run at the same time;
/// others need the object to themselves. Different objects are independent.

#ifndef KENTRO_HPP
#define KENTRO_HPP

#include "kentro.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace kentro {

/// What every failing call throws. `what()` names the parameter, its value and
/// the remedy.
class Error : public std::runtime_error {
public:
    Error(kentro_status status, const std::string& text, std::int64_t row = -1,
          std::int64_t column = -1, std::int32_t os_code = 0)
        : std::runtime_error(text), status_(status), os_code_(os_code), row_(row),
          column_(column) {}

    /// One of the KENTRO_STATUS_* constants.
    kentro_status status() const noexcept { return status_; }

    /// The row and the column, from 0, that are to blame in what the text
    /// names; -1 where it is no single one.
    std::int64_t row() const noexcept { return row_; }
    std::int64_t column() const noexcept { return column_; }

    /// The number that the operating system gave, errno on Unix; 0 where it was
    /// no failure of the system's.
    std::int32_t os_code() const noexcept { return os_code_; }

private:
    kentro_status status_;
    std::int32_t os_code_;
    std::int64_t row_;
    std::int64_t column_;
};

/// The version of the library that is loaded, such as "0.3.0".
inline const char* version() noexcept { return kentro_version(); }

/// A count given as any integer type. A negative one becomes 0, which the
/// library rejects by the parameter's name.
class Count {
public:
    template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer> &&
                                                      !std::is_same_v<Integer, bool>>>
    constexpr Count(Integer value) noexcept
        : value_(value < Integer{} ? 0 : static_cast<std::size_t>(value)) {}

    constexpr operator std::size_t() const noexcept { return value_; }

private:
    std::size_t value_;
};

/// Values that somebody else owns, side by side in memory.
template <class T>
class View {
public:
    constexpr View() noexcept = default;
    constexpr View(const T* data, std::size_t size) noexcept : data_(data), size_(size) {}

    constexpr const T* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr const T* begin() const noexcept { return data_; }
    constexpr const T* end() const noexcept { return data_ + size_; }
    constexpr const T& operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    const T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Memory that somebody else owns, for values to be written to.
template <class T>
class Span {
public:
    constexpr Span() noexcept = default;
    constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}

    /// All of a container that lies in memory in one piece.
    template <class Container,
              class = std::enable_if_t<std::is_same_v<
                  decltype(std::data(std::declval<Container&>())), T*>>>
    constexpr Span(Container& container) noexcept
        : data_(std::data(container)), size_(std::size(container)) {}

    constexpr T* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Row-major float32 values that somebody else owns.
class MatrixView {
public:
    constexpr MatrixView(const float* data, std::size_t rows, std::size_t cols) noexcept
        : data_(data), rows_(rows), cols_(cols) {}

    constexpr const float* data() const noexcept { return data_; }
    constexpr std::size_t rows() const noexcept { return rows_; }
    constexpr std::size_t cols() const noexcept { return cols_; }
    constexpr View<float> operator[](std::size_t row) const noexcept {
        return {data_ + row * cols_, cols_};
    }

private:
    const float* data_;
    std::size_t rows_;
    std::size_t cols_;
};

namespace detail {

/// Calls a C function on an object that is no longer needed.
template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

/// What this thread's last call had to say.
inline kentro_error* error() noexcept {
    thread_local const std::unique_ptr<kentro_error, Deleter<kentro_error_free>> error(
        kentro_error_new());
    return error.get();
}

/// Throws unless a call with `error()` went well.
inline void check(kentro_status status) {
    if (status == KENTRO_STATUS_OK) return;
    const char* text = kentro_error_message(error());
    throw Error(status, *text ? text : kentro_status_message(status), kentro_error_row(error()),
                kentro_error_column(error()), kentro_error_os_code(error()));
}

/// Calls a function of kentro.h that can fail.
template <class Function, class... Arguments>
void call(Function function, Arguments... arguments) {
    check(function(arguments..., error()));
}

/// Do the values of a container go with it?
template <class Container>
struct Owns : std::false_type {};
template <class T, class Allocator>
struct Owns<std::vector<T, Allocator>> : std::true_type {};
template <class T, std::size_t size>
struct Owns<std::array<T, size>> : std::true_type {};

/// Does what a reference was made of stay after the call?
template <class Reference>
constexpr bool stays = std::is_lvalue_reference_v<Reference> ||
                       !Owns<std::remove_cv_t<std::remove_reference_t<Reference>>>::value;

/// The bytes of a number.
constexpr std::ptrdiff_t size_of(std::int32_t dtype) noexcept {
    switch (dtype & ~KENTRO_DTYPE_SWAPPED) {
    case KENTRO_DTYPE_F64:
    case KENTRO_DTYPE_I64:
    case KENTRO_DTYPE_U64: return 8;
    case KENTRO_DTYPE_F32:
    case KENTRO_DTYPE_I32:
    case KENTRO_DTYPE_U32: return 4;
    case KENTRO_DTYPE_F16:
    case KENTRO_DTYPE_BF16:
    case KENTRO_DTYPE_I16:
    case KENTRO_DTYPE_U16: return 2;
    default: return 1; // the library rejects what is no type
    }
}

/// The KENTRO_DTYPE_* constant of a C++ number type.
template <class T>
constexpr std::int32_t dtype() noexcept {
    if constexpr (std::is_same_v<T, float>) {
        return KENTRO_DTYPE_F32;
    } else if constexpr (std::is_same_v<T, double>) {
        return KENTRO_DTYPE_F64;
    } else if constexpr (std::is_same_v<T, bool>) {
        return KENTRO_DTYPE_BOOL;
    } else {
        static_assert(std::is_integral_v<T>, "points are float, double, bool or integers; for "
                                             "others pass a KENTRO_DTYPE_* constant");
        constexpr bool is_signed = std::is_signed_v<T>;
        switch (sizeof(T)) {
        case 1: return is_signed ? KENTRO_DTYPE_I8 : KENTRO_DTYPE_U8;
        case 2: return is_signed ? KENTRO_DTYPE_I16 : KENTRO_DTYPE_U16;
        case 4: return is_signed ? KENTRO_DTYPE_I32 : KENTRO_DTYPE_U32;
        default: return is_signed ? KENTRO_DTYPE_I64 : KENTRO_DTYPE_U64;
        }
    }
}

} // namespace detail

/// Sets how many threads a call uses that is given no number of its own, in the
/// whole process: from 1, or `KENTRO_ALL_THREADS` for all cores. Without it the
/// environment variable KENTRO_NUM_THREADS says so; without that, all cores.
inline void set_default_threads(Count num_threads) {
    detail::call(kentro_set_default_threads, static_cast<std::size_t>(num_threads));
}

/// How many threads a call uses that is given no number of its own.
inline std::size_t default_threads() {
    std::size_t count = 0;
    detail::call(kentro_default_threads, &count);
    return count;
}

/// Whether this process may ask Linux for the tile registers of Intel CPUs with AMX, from
/// now on; by default it may. `kentro_allow_amx` says what that costs the process.
inline void allow_amx(bool allowed) noexcept {
    kentro_allow_amx(allowed ? 1 : 0);
}

/// Points to cluster: rows × cols numbers that the caller keeps, unchanged,
/// for as long as this object is used. Nothing is copied.
class Points {
public:
    /// Row-major values without gaps.
    template <class T>
    Points(const T* data, std::size_t rows, std::size_t cols)
        : Points(data, rows, cols, static_cast<std::ptrdiff_t>(cols)) {}

    /// Values of any layout. Strides count values, not bytes, from a row to
    /// the next and from a column to the next; they may be negative.
    template <class T>
    Points(const T* data, std::size_t rows, std::size_t cols, std::ptrdiff_t row_stride,
           std::ptrdiff_t col_stride = 1)
        : Points(static_cast<const void*>(data), rows, cols, row_stride, col_stride,
                 detail::dtype<T>()) {}

    /// Row-major values in a container that lies in memory in one piece, such
    /// as a std::vector or std::array, `cols` to a row.
    template <class Container, class = decltype(std::data(std::declval<const Container&>()))>
    Points(const Container& values, std::size_t cols)
        : Points(std::data(values), count_rows(std::size(values), cols), cols) {}

    /// Not those of a temporary, which go with it.
    template <class Container, class = std::enable_if_t<detail::Owns<Container>::value>>
    Points(const Container&& values, std::size_t cols) = delete;

    /// Any layout and number type, a KENTRO_DTYPE_* constant, for foreign byte
    /// order `| KENTRO_DTYPE_SWAPPED`. Strides count values here, too.
    Points(const void* data, std::size_t rows, std::size_t cols, std::ptrdiff_t row_stride,
           std::ptrdiff_t col_stride, std::int32_t dtype)
        : rows_(rows), cols_(cols) {
        kentro_points* points = nullptr;
        detail::call(kentro_points_new, data, rows, cols, bytes(row_stride, dtype),
                     bytes(col_stride, dtype), dtype, &points);
        handle_.reset(points);
    }

    /// Compressed sparse rows (CSR): row i has the values of the places
    /// `indptr[i]` to `indptr[i + 1] - 1`, each in the column that `indices` names
    /// at the same place, and zeros elsewhere. So `indptr` is one longer than there
    /// are rows and begins with 0. Indices are integers of 32 or 64 bits. Columns
    /// need not ascend; values of one row and column are added up. Nothing is copied;
    /// results are those of the dense rows. Throws, naming the place, if a column is
    /// not below `cols` or `indptr` descends.
    template <class Values, class Indices, class Starts>
    static Points csr(Values&& values, Indices&& indices, Starts&& indptr, std::size_t cols) {
        static_assert(detail::stays<Values> && detail::stays<Indices> && detail::stays<Starts>,
                      "points are a view: a temporary would be gone when they are used");
        if (std::size(values) != std::size(indices) || std::size(indptr) == 0) {
            throw Error(KENTRO_STATUS_INVALID_DATA,
                        "Invalid data: " + std::to_string(std::size(values)) + " values, " +
                            std::to_string(std::size(indices)) + " indices and " +
                            std::to_string(std::size(indptr)) +
                            " numbers in indptr; give an index for each value, and in indptr "
                            "a number for each row and one more");
        }
        return csr(std::data(values), std::data(indices), std::data(indptr),
                   std::size(indptr) - 1, cols, std::size(values));
    }

    /// The same of `len` values and indices, and `rows + 1` numbers in `indptr`.
    template <class T, class Index, class Start>
    static Points csr(const T* values, const Index* indices, const Start* indptr,
                      std::size_t rows, std::size_t cols, std::size_t len) {
        return csr(values, detail::dtype<T>(), indices, detail::dtype<Index>(), indptr,
                   detail::dtype<Start>(), rows, cols, len);
    }

    /// The same of any number type, each a KENTRO_DTYPE_* constant.
    static Points csr(const void* values, std::int32_t dtype, const void* indices,
                      std::int32_t indices_dtype, const void* indptr, std::int32_t indptr_dtype,
                      std::size_t rows, std::size_t cols, std::size_t len) {
        kentro_points* points = nullptr;
        detail::call(kentro_points_new_csr, values, dtype, indices, indices_dtype, indptr,
                     indptr_dtype, rows, cols, len, &points);
        return Points(points, rows, cols);
    }

    /// Gives each point a weight, one float or double a row, finite and at
    /// least 0; the caller keeps them like the rows. A point of weight 2 counts
    /// as one that is there twice, of weight 0 as one that is not there.
    Points& set_weights(View<float> weights) {
        detail::call(kentro_points_set_weights, handle_.get(), weights.data(), KENTRO_DTYPE_F32,
                     weights.size());
        return *this;
    }
    Points& set_weights(View<double> weights) {
        detail::call(kentro_points_set_weights, handle_.get(), weights.data(), KENTRO_DTYPE_F64,
                     weights.size());
        return *this;
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t cols() const noexcept { return cols_; }

    /// For calls of kentro.h; still owned by this object.
    const kentro_points* handle() const noexcept { return handle_.get(); }

private:
    Points(kentro_points* points, std::size_t rows, std::size_t cols)
        : handle_(points), rows_(rows), cols_(cols) {}

    static std::ptrdiff_t bytes(std::ptrdiff_t stride, std::int32_t dtype) {
        const std::ptrdiff_t size = detail::size_of(dtype);
        const std::ptrdiff_t limit = PTRDIFF_MAX / size;
        if (stride > limit || stride < -limit) {
            throw Error(KENTRO_STATUS_INVALID_DATA, "Invalid data: a stride of " +
                                                        std::to_string(stride) +
                                                        " values is too large");
        }
        return stride * size;
    }

    static std::size_t count_rows(std::size_t size, std::size_t cols) {
        if (cols == 0) return size; // rejected where it is used
        if (size % cols != 0) {
            throw Error(KENTRO_STATUS_INVALID_DATA, "Invalid data: " + std::to_string(size) +
                                                        " values do not make rows of " +
                                                        std::to_string(cols) + " columns");
        }
        return size / cols;
    }

    std::unique_ptr<kentro_points, detail::Deleter<kentro_points_free>> handle_;
    std::size_t rows_;
    std::size_t cols_;
};

/// For each cluster the indices of its points, ascending.
class Clusters {
public:
    /// Takes over the handle.
    explicit Clusters(kentro_clusters* handle) : handle_(handle) {
        const std::size_t* values = nullptr;
        std::size_t size = 0;
        detail::call(kentro_clusters_offsets, handle, &values, &size);
        offsets_ = {values, size};
        detail::call(kentro_clusters_all_members, handle, &values, &size);
        members_ = {values, size};
    }

    /// The number of clusters.
    std::size_t size() const noexcept { return offsets_.size() - 1; }

    /// The members of a cluster, which must be below `size()`. Views live as
    /// long as this object or what it is moved to.
    View<std::size_t> operator[](std::size_t cluster) const& noexcept {
        return {members_.data() + offsets_[cluster], offsets_[cluster + 1] - offsets_[cluster]};
    }

    View<std::size_t> operator[](std::size_t cluster) const&& = delete;

    /// The members of all clusters, one cluster after another; cluster j is
    /// [offsets()[j], offsets()[j + 1]).
    View<std::size_t> members() const& noexcept { return members_; }
    View<std::size_t> members() const&& = delete;
    View<std::size_t> offsets() const& noexcept { return offsets_; }
    View<std::size_t> offsets() const&& = delete;

    std::vector<std::vector<std::size_t>> to_vectors() const {
        std::vector<std::vector<std::size_t>> vectors;
        vectors.reserve(size());
        for (View<std::size_t> cluster : *this)
            vectors.emplace_back(cluster.begin(), cluster.end());
        return vectors;
    }

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = View<std::size_t>;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = value_type;

        Iterator(const Clusters* clusters, std::size_t index) noexcept
            : clusters_(clusters), index_(index) {}

        value_type operator*() const noexcept { return (*clusters_)[index_]; }
        Iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        Iterator operator++(int) noexcept { return {clusters_, index_++}; }
        bool operator==(const Iterator& other) const noexcept { return index_ == other.index_; }
        bool operator!=(const Iterator& other) const noexcept { return index_ != other.index_; }

    private:
        const Clusters* clusters_;
        std::size_t index_;
    };

    Iterator begin() const& noexcept { return {this, 0}; }
    Iterator begin() const&& = delete;
    Iterator end() const& noexcept { return {this, size()}; }
    Iterator end() const&& = delete;

    /// For calls of kentro.h; still owned by this object.
    const kentro_clusters* handle() const noexcept { return handle_.get(); }

private:
    std::unique_ptr<kentro_clusters, detail::Deleter<kentro_clusters_free>> handle_;
    View<std::size_t> offsets_;
    View<std::size_t> members_;
};

/// Where the first centroids come from.
enum class Init : std::int32_t {
    automatic = KENTRO_INIT_AUTO, ///< by k; from 8,192 clusters on, with much to do, a tree
    kmeans_plus_plus = KENTRO_INIT_KMEANS_PLUS_PLUS,
    kmeans_parallel = KENTRO_INIT_KMEANS_PARALLEL,
    random = KENTRO_INIT_RANDOM,
    centroids = KENTRO_INIT_CENTROIDS, ///< as init() tells it of given ones
    tree = KENTRO_INIT_TREE,           ///< clusters of coarse clusters, for very many of them
};

/// How much time to spend for a lower inertia.
enum class Quality : std::int32_t {
    fast = KENTRO_QUALITY_FAST,
    standard = KENTRO_QUALITY_DEFAULT,
    best = KENTRO_QUALITY_BEST,
};

enum class LogLevel : std::int32_t {
    info = KENTRO_LOG_INFO,       ///< verbose lines
    warning = KENTRO_LOG_WARNING, ///< usable, but perhaps not what was expected
};

/// What training is at; later versions may have more.
enum class Phase : std::int32_t {
    seeding = KENTRO_PHASE_SEEDING,     ///< looks for the first centroids
    iterating = KENTRO_PHASE_ITERATING, ///< assigns points and moves centroids
    repairing = KENTRO_PHASE_REPAIRING, ///< moves points to where bounds on sizes want them
    labelling = KENTRO_PHASE_LABELLING, ///< assigns points to the final centroids
};

/// Rows that come block by block, as often as they are asked for: the same rows in
/// the same order each time, however they are cut, of one number type.
class Source {
public:
    Source() = default;
    Source(const Source&) = default;
    Source& operator=(const Source&) = default;
    virtual ~Source() = default;

    /// Begins anew with the first row.
    virtual void rewind() = 0;

    /// The next block, null after the last. It and its memory must last until the
    /// next call of the source.
    virtual const Points* next() = 0;
};

/// How far training is.
struct Progress {
    Phase phase;
    std::size_t run;       ///< which of the n_init runs, from 1
    std::size_t iteration; ///< iterations that this run has finished
    std::size_t total;     ///< iterations that all runs have finished; never falls
    double inertia;        ///< the objective before the last update; NaN before the first
    std::size_t changed;   ///< points that changed their cluster in the last iteration
    double seconds;        ///< since training began; never falls
};

/// What a callback answers: true goes on; false cancels, which leaves the model
/// as it was.
class Answer {
public:
    constexpr Answer(bool go_on) noexcept : value_(go_on ? KENTRO_CONTINUE : KENTRO_CANCEL) {}

    /// Ends training within one further iteration and keeps the model: labels
    /// are those of its centroids, and bounds on cluster sizes hold.
    static constexpr Answer stop() noexcept { return Answer(KENTRO_STOP); }

    constexpr std::int32_t value() const noexcept { return value_; }

private:
    explicit constexpr Answer(std::int32_t value) noexcept : value_(value) {}

    std::int32_t value_;
};

using ProgressCallback = std::function<Answer(const Progress&)>;
using PollCallback = std::function<Answer()>;
using LogCallback = std::function<void(LogLevel, const char*)>;

/// A wish to end calls, which any thread and any signal handler may utter.
/// Copies are one and the same.
class CancelToken {
public:
    CancelToken() {
        kentro_cancel* cancel = nullptr;
        detail::call(kentro_cancel_new, &cancel);
        handle_.reset(cancel, kentro_cancel_free);
    }

    /// Ends the calls of all models that have it, now and from now on, with
    /// KENTRO_STATUS_CANCELLED.
    void request() const noexcept { kentro_cancel_request(handle_.get()); }

    /// For calls of kentro.h; still owned by this object.
    const kentro_cancel* handle() const noexcept { return handle_.get(); }

private:
    std::shared_ptr<kentro_cancel> handle_;
};

namespace detail {

/// One call with a source, whose exceptions must not reach the library.
class Sourced {
public:
    using See = std::function<void(View<std::uint32_t>)>;

    explicit Sourced(Source& source, const See* see = nullptr) : blocks_(source), see_(see) {
        source_.size = sizeof source_;
        source_.user_data = this;
        source_.rewind = on_rewind;
        source_.next = on_next;
    }

    Sourced(const Sourced&) = delete;
    Sourced& operator=(const Sourced&) = delete;

    const kentro_source* source() const noexcept { return &source_; }

    /// Throws what the source threw, if it did.
    void rethrow() {
        if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

    static std::int32_t on_labels(const std::uint32_t* labels, std::size_t rows,
                                  void* user_data) noexcept {
        return trap(user_data, [&](Sourced& self) { (*self.see_)({labels, rows}); });
    }

private:
    template <class Work>
    static std::int32_t trap(void* user_data, const Work& work) noexcept {
        auto self = static_cast<Sourced*>(user_data);
        try {
            work(*self);
            return 0;
        } catch (...) {
            self->thrown_ = std::current_exception();
            return 1;
        }
    }

    static std::int32_t on_rewind(void* user_data) noexcept {
        return trap(user_data, [](Sourced& self) { self.blocks_.rewind(); });
    }

    static std::int32_t on_next(const kentro_points** out, void* user_data) noexcept {
        return trap(user_data, [&](Sourced& self) {
            const Points* points = self.blocks_.next();
            *out = points ? points->handle() : nullptr;
        });
    }

    Source& blocks_;
    const See* see_;
    kentro_source source_{};
    std::exception_ptr thrown_;
};

/// The callbacks of a model. Shared by its clones.
struct Callbacks {
    std::shared_ptr<const ProgressCallback> progress;
    std::shared_ptr<const PollCallback> poll;
    std::shared_ptr<const LogCallback> log;
    std::optional<CancelToken> cancel;
};

/// One call with callbacks, whose exceptions must not reach the library; after
/// the first, the call is only to be cancelled.
class Observed {
public:
    explicit Observed(const Callbacks& callbacks) : callbacks_(callbacks) {
        observer_.size = sizeof observer_;
        observer_.user_data = this;
        if (callbacks.cancel) observer_.cancel = callbacks.cancel->handle();
        if (callbacks.log) observer_.log = on_log;
        if (callbacks.progress) observer_.progress = on_progress;
        // Also ends the call where the log has thrown.
        if (callbacks.poll || callbacks.log || callbacks.progress) observer_.poll = on_poll;
    }

    Observed(const Observed&) = delete;
    Observed& operator=(const Observed&) = delete;

    const kentro_observer* observer() const noexcept { return &observer_; }

    /// Ends the call: throws what a callback threw, or if it failed.
    void finish(kentro_status status) {
        if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
        check(status);
    }

private:
    template <class Callback>
    static std::int32_t trap(void* user_data, const Callback& callback) noexcept {
        auto self = static_cast<Observed*>(user_data);
        if (self->thrown_) return KENTRO_CANCEL;
        try {
            return callback(self->callbacks_).value();
        } catch (...) {
            self->thrown_ = std::current_exception();
            return KENTRO_CANCEL;
        }
    }

    static std::int32_t on_progress(const kentro_progress* now, void* user_data) noexcept {
        return trap(user_data, [&](const Callbacks& callbacks) {
            return (*callbacks.progress)({static_cast<Phase>(now->phase), now->run, now->iteration,
                                          now->total, now->inertia, now->changed, now->seconds});
        });
    }

    static std::int32_t on_poll(void* user_data) noexcept {
        return trap(user_data, [](const Callbacks& callbacks) {
            return callbacks.poll ? (*callbacks.poll)() : Answer(true);
        });
    }

    static void on_log(std::int32_t level, const char* message, void* user_data) noexcept {
        trap(user_data, [&](const Callbacks& callbacks) {
            (*callbacks.log)(static_cast<LogLevel>(level), message);
            return Answer(true);
        });
    }

    const Callbacks& callbacks_;
    kentro_observer observer_{};
    std::exception_ptr thrown_;
};

template <class Callback>
std::shared_ptr<const Callback> share(Callback callback) {
    return callback ? std::make_shared<const Callback>(std::move(callback)) : nullptr;
}

/// The bytes of a message, which is freed.
inline std::vector<std::uint8_t> bytes_of(kentro_message* message) {
    const std::unique_ptr<kentro_message, Deleter<kentro_message_free>> owned(message);
    const std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    call(kentro_message_bytes, message, &bytes, &size);
    return std::vector<std::uint8_t>(bytes, bytes + size);
}

} // namespace detail

struct SweepStep;

/// A clustering model: K-means, balanced K-means or K-medoids.
///
/// The `with_*` functions return a configured model: called on a temporary or
/// a moved model they pass it on, called on any other they leave it as it is
/// and return a clone. A model trains once.
class KMeans {
public:
    /// A model of `n_clusters` clusters, at least 1. Throws also if the
    /// library that is loaded doesn't fit this header.
    explicit KMeans(Count n_clusters) : KMeans({}, create(kentro_kmeans_new, n_clusters)) {}

    /// A trained model of these centroids, one a row, which are copied: to
    /// predict and assign with, and to be saved. For cosine they are made unit
    /// vectors. `prices`, one for each, are for predict_balanced. Labels, sizes
    /// and medoids are empty, inertia is NaN, n_iter 0.
    [[nodiscard]] static KMeans from_centroids(const Points& centroids, bool euclidean,
                                               const std::vector<double>& prices = {}) {
        return KMeans({}, create(kentro_kmeans_from_centroids, centroids.handle(), euclidean,
                                 prices.empty() ? nullptr : prices.data(), prices.size()));
    }

    /// The same of Euclidean centroids that have lost an offset, as those of blocks:
    /// points to predict lose it too. `offset`: a number for each column, as of
    /// `Block::offset`.
    [[nodiscard]] static KMeans from_centroids_less(const std::vector<float>& centroids,
                                                    const std::vector<double>& offset) {
        const std::size_t dims = offset.size();
        if (dims == 0 || centroids.size() % dims != 0)
            throw Error(KENTRO_STATUS_INVALID_PARAMETER,
                        "centroids must have as many columns as the offset has values");
        return KMeans({}, create(kentro_kmeans_from_centroids_less, centroids.data(),
                                 centroids.size() / dims, dims, offset.data()));
    }

    /// A copy. What was trained and the callbacks are shared, not copied.
    [[nodiscard]] KMeans clone() const {
        return KMeans(callbacks_, create(kentro_kmeans_clone, handle()));
    }

    /// A model that can be trained, with the same settings, those that were
    /// changed after training included, and the same callbacks.
    [[nodiscard]] KMeans untrained() const {
        return KMeans(callbacks_, create(kentro_kmeans_clone_untrained, handle()));
    }

    /// \name Saving and loading
    /// Settings and, of a trained model, all results; of the labels only if
    /// `labels` is true. docs/format.md tells what is in a file.
    /// @{

    /// Writes the model to a file, in the place of any that is there. After an
    /// error, too, the old file or the new one is there, whole. `path`: any
    /// bytes on Unix, UTF-8 on Windows. KENTRO_STATUS_IO if the system refuses.
    void save(const std::string& path, bool labels = true) const {
        detail::call(kentro_kmeans_save, handle(), c_path(path), labels);
    }

    /// Reads a model from a file that `save` wrote.
    [[nodiscard]] static KMeans load(const std::string& path) {
        return KMeans({}, create(kentro_kmeans_load, c_path(path)));
    }

    /// The model as the bytes of a file.
    [[nodiscard]] std::vector<std::uint8_t> to_bytes(bool labels = true) const {
        std::size_t size = 0;
        detail::call(kentro_kmeans_serialized_size, handle(), labels, &size);
        std::vector<std::uint8_t> bytes(size);
        detail::call(kentro_kmeans_serialize, handle(), labels, bytes.data(), size, &size);
        return bytes;
    }

    /// The model that `to_bytes` gave these bytes for.
    [[nodiscard]] static KMeans from_bytes(View<std::uint8_t> bytes) {
        return KMeans({}, create(kentro_kmeans_deserialize, bytes.data(), bytes.size()));
    }
    [[nodiscard]] static KMeans from_bytes(const std::vector<std::uint8_t>& bytes) {
        return from_bytes(View<std::uint8_t>(bytes.data(), bytes.size()));
    }

    /// @}

    /// \name Settings
    /// @{

    /// Iterations at most, at least 1; default 25. Training stops earlier when
    /// no assignment changes.
    [[nodiscard]] KMeans with_iterations(Count iterations) && {
        return set(kentro_kmeans_set_iterations, iterations);
    }
    [[nodiscard]] KMeans with_iterations(Count iterations) const& {
        return clone().with_iterations(iterations);
    }

    /// Euclidean distance; default false: cosine similarity.
    [[nodiscard]] KMeans with_euclidean(bool euclidean) && {
        return set(kentro_kmeans_set_euclidean, euclidean);
    }
    [[nodiscard]] KMeans with_euclidean(bool euclidean) const& {
        return clone().with_euclidean(euclidean);
    }

    /// Bounds cluster sizes, as with_max_balance_diff or with_size_bounds says;
    /// default false.
    [[nodiscard]] KMeans with_balanced(bool balanced) && {
        return set(kentro_kmeans_set_balanced, balanced);
    }
    [[nodiscard]] KMeans with_balanced(bool balanced) const& {
        return clone().with_balanced(balanced);
    }

    /// The largest difference of cluster sizes when balanced, at least 1;
    /// default 16. Takes the place of with_size_bounds.
    [[nodiscard]] KMeans with_max_balance_diff(Count max_balance_diff) && {
        return set(kentro_kmeans_set_max_balance_diff, max_balance_diff);
    }
    [[nodiscard]] KMeans with_max_balance_diff(Count max_balance_diff) const& {
        return clone().with_max_balance_diff(max_balance_diff);
    }

    /// Balanced, with `min_size` to `max_size` points in every cluster; 0 means
    /// 1, for no cluster is empty. Takes the place of with_max_balance_diff.
    [[nodiscard]] KMeans with_size_bounds(Count min_size, Count max_size) && {
        return set(kentro_kmeans_set_size_bounds, min_size, max_size);
    }
    [[nodiscard]] KMeans with_size_bounds(Count min_size, Count max_size) const& {
        return clone().with_size_bounds(min_size, max_size);
    }

    /// A line an iteration, to the log callback or else to standard output;
    /// default false.
    [[nodiscard]] KMeans with_verbose(bool verbose) && {
        return set(kentro_kmeans_set_verbose, verbose);
    }
    [[nodiscard]] KMeans with_verbose(bool verbose) const& { return clone().with_verbose(verbose); }

    /// Centres are data points (K-medoids); default false.
    [[nodiscard]] KMeans with_use_medoids(bool use_medoids) && {
        return set(kentro_kmeans_set_use_medoids, use_medoids);
    }
    [[nodiscard]] KMeans with_use_medoids(bool use_medoids) const& {
        return clone().with_use_medoids(use_medoids);
    }

    /// Seed of every random choice; default 0.
    [[nodiscard]] KMeans with_seed(std::uint64_t seed) && {
        return set(kentro_kmeans_set_seed, seed);
    }
    [[nodiscard]] KMeans with_seed(std::uint64_t seed) const& { return clone().with_seed(seed); }

    /// Stops when an iteration lowers the inertia by less than this fraction,
    /// at least 0; default 0: only when no assignment changes.
    [[nodiscard]] KMeans with_tolerance(double tolerance) && {
        return set(kentro_kmeans_set_tolerance, tolerance);
    }
    [[nodiscard]] KMeans with_tolerance(double tolerance) const& {
        return clone().with_tolerance(tolerance);
    }

    /// Where the first centroids come from; default Init::automatic.
    [[nodiscard]] KMeans with_init(Init init) && {
        return set(kentro_kmeans_set_init, static_cast<std::int32_t>(init));
    }
    [[nodiscard]] KMeans with_init(Init init) const& { return clone().with_init(init); }

    /// The first centroids themselves (n_clusters × dimensions); copied.
    [[nodiscard]] KMeans with_init(MatrixView centroids) && {
        return set(kentro_kmeans_set_init_centroids, centroids.data(), KENTRO_DTYPE_F32,
                   centroids.rows(), centroids.cols());
    }
    [[nodiscard]] KMeans with_init(MatrixView centroids) const& {
        return clone().with_init(centroids);
    }

    /// The same, row-major float64, where float32 has too few digits.
    [[nodiscard]] KMeans with_init(const double* centroids, std::size_t rows,
                                   std::size_t cols) && {
        return set(kentro_kmeans_set_init_centroids, centroids, KENTRO_DTYPE_F64, rows, cols);
    }
    [[nodiscard]] KMeans with_init(const double* centroids, std::size_t rows,
                                   std::size_t cols) const& {
        return clone().with_init(centroids, rows, cols);
    }

    /// Runs from this many starts and keeps the best, at least 1; default 1.
    [[nodiscard]] KMeans with_n_init(Count n_init) && {
        return set(kentro_kmeans_set_n_init, n_init);
    }
    [[nodiscard]] KMeans with_n_init(Count n_init) const& { return clone().with_n_init(n_init); }

    /// How much time to spend for a lower inertia; default Quality::standard.
    /// Without effect on K-medoids that are not balanced.
    [[nodiscard]] KMeans with_quality(Quality quality) && {
        return set(kentro_kmeans_set_quality, static_cast<std::int32_t>(quality));
    }
    [[nodiscard]] KMeans with_quality(Quality quality) const& {
        return clone().with_quality(quality);
    }

    /// Bytes that training may use beside the data; default: the smaller of
    /// 2 GB and a quarter of the machine's memory. K-medoids takes a sample
    /// where all distances exceed the limit; by default, 2 GB on every machine.
    [[nodiscard]] KMeans with_memory_limit(std::uint64_t bytes) && {
        return set(kentro_kmeans_set_memory_limit, bytes);
    }
    [[nodiscard]] KMeans with_memory_limit(std::uint64_t bytes) const& {
        return clone().with_memory_limit(bytes);
    }

    /// @}
    /// \name Callbacks
    /// Called on the thread that calls the library, never on another. What
    /// they throw stops the run and is thrown again by the call that they
    /// interrupted, and a model in training stays untrained. They must not use
    /// the model they are called for. An empty function removes a callback.
    /// @{

    /// Called after every iteration of training, and about every 0.1 s between.
    /// False cancels (KENTRO_STATUS_CANCELLED), Answer::stop() keeps the model.
    [[nodiscard]] KMeans with_progress(ProgressCallback callback) && {
        callbacks_.progress = detail::share(std::move(callback));
        return std::move(*this);
    }
    [[nodiscard]] KMeans with_progress(ProgressCallback callback) const& {
        return clone().with_progress(std::move(callback));
    }

    /// Called every 0.02 s or so while the library computes; answers alike.
    [[nodiscard]] KMeans with_poll(PollCallback callback) && {
        callbacks_.poll = detail::share(std::move(callback));
        return std::move(*this);
    }
    [[nodiscard]] KMeans with_poll(PollCallback callback) const& {
        return clone().with_poll(std::move(callback));
    }

    /// Gets verbose lines and warnings.
    [[nodiscard]] KMeans with_log(LogCallback callback) && {
        callbacks_.log = detail::share(std::move(callback));
        return std::move(*this);
    }
    [[nodiscard]] KMeans with_log(LogCallback callback) const& {
        return clone().with_log(std::move(callback));
    }

    /// Calls end once this is requested, on whatever thread.
    [[nodiscard]] KMeans with_cancel(CancelToken token) && {
        callbacks_.cancel = std::move(token);
        return std::move(*this);
    }
    [[nodiscard]] KMeans with_cancel(CancelToken token) const& {
        return clone().with_cancel(std::move(token));
    }

    /// @}
    /// \name Training and assignment
    /// `num_threads`: at least 1; more than the machine has is capped; left
    /// out: `default_threads()`. It has no influence on the result.
    /// @{

    /// Clusters the points and returns the members of each cluster.
    Clusters train(const Points& points, std::optional<Count> num_threads = std::nullopt) {
        fit(points, num_threads);
        return clusters();
    }

    /// Clusters the points; `labels()` and the other getters hold the result.
    void fit(const Points& points, std::optional<Count> num_threads = std::nullopt) {
        // A warning is logged when all is done; if that callback throws, the
        // model goes back to what it was.
        std::optional<KMeans> before;
        if (callbacks_.log) before = clone();
        detail::Observed call(callbacks_);
        const kentro_status status =
            kentro_kmeans_train(handle(), points.handle(), threads(num_threads), call.observer(),
                                detail::error());
        try {
            call.finish(status);
        } catch (...) {
            if (before && status == KENTRO_STATUS_OK) *this = std::move(*before);
            throw;
        }
    }

    /// `fit` on rows that come from a source, block by block: the same bits as from
    /// all rows at once (unless Init::automatic takes a tree of these), but not for
    /// `Quality::best`, medoids and bounds on sizes. What the source throws comes out, and
    /// the model stays as it was.
    void fit(Source& source, std::optional<Count> num_threads = std::nullopt) {
        std::optional<KMeans> before;
        if (callbacks_.log) before = clone();
        detail::Observed call(callbacks_);
        detail::Sourced blocks(source);
        const kentro_status status =
            kentro_kmeans_train_source(handle(), blocks.source(), threads(num_threads),
                                       call.observer(), detail::error());
        try {
            blocks.rethrow();
            call.finish(status);
        } catch (...) {
            if (before && status == KENTRO_STATUS_OK) *this = std::move(*before);
            throw;
        }
    }

    /// The nearest cluster of every point of a source: `see` gets the labels of a
    /// block after the other, in one pass.
    void predict(Source& source, const std::function<void(View<std::uint32_t>)>& see,
                 std::optional<Count> num_threads = std::nullopt) const {
        detail::Observed call(callbacks_);
        detail::Sourced blocks(source, &see);
        const kentro_status status = kentro_kmeans_predict_source(
            handle(), blocks.source(), detail::Sourced::on_labels, &blocks,
            threads(num_threads), call.observer(), detail::error());
        blocks.rethrow();
        call.finish(status);
    }

    /// Learns from one more block of points, and keeps nothing of it but what it
    /// did to the centroids: mini-batch K-means. The first block trains the model;
    /// blocks before there are as many points as clusters are collected.
    /// `forgetting`: what fraction of what the centroids weigh is forgotten before
    /// the block counts, 0 to 1. Labels are empty afterwards, and sizes add up.
    void partial_fit(const Points& points, double forgetting = 0,
                     std::optional<Count> num_threads = std::nullopt) {
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_partial_fit(handle(), points.handle(), forgetting,
                                              threads(num_threads), call.observer(),
                                              detail::error()));
    }

    /// Assigns every point to its `k` nearest clusters, at least 1 (more than
    /// there are means all), and returns the members of each cluster.
    Clusters assign(const Points& points, Count k,
                    std::optional<Count> num_threads = std::nullopt) const {
        kentro_clusters* clusters = nullptr;
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_assign(handle(), points.handle(), k, threads(num_threads),
                                         call.observer(), &clusters, detail::error()));
        return Clusters(clusters);
    }

    /// The `k` nearest clusters of every point, nearest first: rows ×
    /// min(k, n_clusters) labels.
    std::vector<std::uint32_t> predict(const Points& points, Count k = 1,
                                       std::optional<Count> num_threads = std::nullopt) const {
        std::vector<std::uint32_t> labels(points.rows() * std::min<std::size_t>(k, n_clusters()));
        predict_into(points, k, labels, {}, num_threads);
        return labels;
    }

    /// The same into the caller's memory, which must have room for as many;
    /// unless it is empty, `distances` gets the distances, squared Euclidean or
    /// 1 - cosine. Returns how many it wrote a row: min(k, n_clusters).
    std::size_t predict_into(const Points& points, Count k, Span<std::uint32_t> labels,
                             Span<double> distances = {},
                             std::optional<Count> num_threads = std::nullopt) const {
        std::size_t width = 0;
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_predict(handle(), points.handle(), k, threads(num_threads),
                                          call.observer(), labels.data(), labels.size(),
                                          distances.data(), distances.size(), &width,
                                          detail::error()));
        return width;
    }

    /// The distance of every point to every centroid, squared Euclidean or
    /// 1 - cosine: rows x n_clusters.
    std::vector<double> transform(const Points& points,
                                  std::optional<Count> num_threads = std::nullopt) const {
        std::vector<double> distances(points.rows() * n_clusters());
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_transform(handle(), points.handle(), threads(num_threads),
                                            call.observer(), distances.data(), distances.size(),
                                            nullptr, detail::error()));
        return distances;
    }

    /// The `m` rows of each cluster that are nearest to its centroid, nearest first, no
    /// two with the same values; fewer where a cluster has fewer. Rows are in the cluster
    /// whose centroid is nearest to them; those of weight 0 do not count.
    Clusters representatives(const Points& points, Count m,
                             std::optional<Count> num_threads = std::nullopt) const {
        kentro_clusters* clusters = nullptr;
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_representatives(handle(), points.handle(), m,
                                                  threads(num_threads), call.observer(),
                                                  &clusters, detail::error()));
        return Clusters(clusters);
    }

    /// Trains a model for each of these numbers of clusters, which ascend, with the
    /// settings of this one, whose own number and training play no part. Each begins with
    /// the centroids of the one before and as many more, drawn by greedy k-means++;
    /// K-medoids start afresh. Callbacks hear of each as of a further run.
    std::vector<SweepStep> sweep(const Points& points, const std::vector<std::size_t>& ks,
                                 std::optional<Count> num_threads = std::nullopt) const;

    /// Minus the sum over all points, times their weights, that inertia() is of the
    /// training points. The more, the better.
    double score(const Points& points, std::optional<Count> num_threads = std::nullopt) const {
        double score = 0;
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_score(handle(), points.handle(), threads(num_threads),
                                        call.observer(), &score, detail::error()));
        return score;
    }

    /// A cluster of every point by the prices that a balanced model has learnt,
    /// so that points like the training data spread over the clusters as
    /// evenly; nothing bounds the sizes here.
    std::vector<std::uint32_t>
    predict_balanced(const Points& points,
                     std::optional<Count> num_threads = std::nullopt) const {
        std::vector<std::uint32_t> labels(points.rows());
        detail::Observed call(callbacks_);
        call.finish(kentro_kmeans_predict_balanced(handle(), points.handle(), threads(num_threads),
                                                   call.observer(), labels.data(), labels.size(),
                                                   nullptr, 0, detail::error()));
        return labels;
    }

    /// @}
    /// \name Settings as they are
    /// @{

    std::size_t n_clusters() const { return get(kentro_kmeans_n_clusters); }
    std::size_t iterations() const { return get(kentro_kmeans_iterations); }
    std::size_t max_balance_diff() const { return get(kentro_kmeans_max_balance_diff); }
    /// 0 unless with_size_bounds was the last to be set.
    std::size_t min_size() const { return get(kentro_kmeans_min_size); }
    /// The largest std::size_t unless with_size_bounds was the last to be set.
    std::size_t max_size() const { return get(kentro_kmeans_max_size); }
    bool is_euclidean() const { return get(kentro_kmeans_is_euclidean) != 0; }
    bool is_balanced() const { return get(kentro_kmeans_is_balanced) != 0; }
    bool is_use_medoids() const { return get(kentro_kmeans_is_use_medoids) != 0; }
    bool is_verbose() const { return get(kentro_kmeans_is_verbose) != 0; }
    bool is_trained() const { return get(kentro_kmeans_is_trained) != 0; }
    std::uint64_t seed() const { return get(kentro_kmeans_seed); }
    double tolerance() const { return get(kentro_kmeans_tolerance); }
    Init init() const { return static_cast<Init>(get(kentro_kmeans_init)); }

    /// Given first centroids, row-major, n_clusters rows; empty if none were.
    std::vector<double> init_centroids() const {
        std::size_t rows = 0;
        std::size_t cols = 0;
        detail::call(kentro_kmeans_init_centroids, handle(), nullptr, 0, &rows, &cols);
        std::vector<double> values(rows * cols);
        detail::call(kentro_kmeans_init_centroids, handle(), values.data(), values.size(), &rows,
                     &cols);
        return values;
    }

    std::size_t n_init() const { return get(kentro_kmeans_n_init); }
    Quality quality() const { return static_cast<Quality>(get(kentro_kmeans_quality)); }

    /// Empty where none was set.
    std::optional<std::uint64_t> memory_limit() const {
        std::uint64_t bytes = 0;
        std::int32_t is_set = 0;
        detail::call(kentro_kmeans_memory_limit, handle(), &bytes, &is_set);
        return is_set ? std::optional(bytes) : std::nullopt;
    }

    /// A line about the model: six words, then what is not the default; of a
    /// trained model what training used.
    std::string describe() const {
        std::string text(1024, '\0');
        std::size_t size = 0;
        detail::call(kentro_kmeans_describe, handle(), text.data(), text.size(), &size);
        text.resize(size);
        return text;
    }

    /// @}
    /// \name Results
    /// Views live as long as this model or what it is moved to. An untrained
    /// model throws KENTRO_STATUS_NOT_TRAINED.
    /// @{

    /// The number of columns of the centroids, and of the points that fit them.
    std::size_t n_dimensions() const { return get(kentro_kmeans_n_dimensions); }

    /// The number of training points; 0 in a model made of centroids.
    std::size_t n_points() const { return get(kentro_kmeans_n_points); }

    /// What balancing has learnt to add to the distance to each centroid; empty
    /// unless balanced.
    View<double> prices() const& {
        const double* values = nullptr;
        std::size_t size = 0;
        detail::call(kentro_kmeans_prices, handle(), &values, &size);
        return {values, size};
    }
    View<double> prices() const&& = delete;

    /// The training points of each cluster. KENTRO_STATUS_INVALID_PARAMETER in
    /// a model without labels.
    Clusters clusters() const {
        kentro_clusters* clusters = nullptr;
        detail::call(kentro_kmeans_clusters, handle(), &clusters);
        return Clusters(clusters);
    }

    /// The cluster of every training point; empty in a model that was saved
    /// without labels or made of centroids.
    View<std::uint32_t> labels() const& {
        return lend<std::uint32_t>(kentro_kmeans_labels);
    }
    View<std::uint32_t> labels() const&& = delete;

    /// n_clusters × dimensions: means, unit vectors (cosine) or medoids. A model of sparse
    /// rows makes them when they are first asked for.
    MatrixView centroids() const& {
        const float* values = nullptr;
        std::size_t rows = 0;
        std::size_t cols = 0;
        detail::call(kentro_kmeans_centroids, handle(), &values, &rows, &cols);
        return {values, rows, cols};
    }
    MatrixView centroids() const&& = delete;

    /// The same with more digits, row-major: they differ where columns lost an
    /// offset.
    std::vector<double> centroids_f64() const {
        std::vector<double> values(centroids().rows() * centroids().cols());
        detail::call(kentro_kmeans_centroids_f64, handle(), values.data(), values.size());
        return values;
    }

    /// What was subtracted from each column before it was rounded to float32;
    /// empty if nothing was.
    View<double> offset() const& { return lend<double>(kentro_kmeans_offset); }
    View<double> offset() const&& = delete;

    /// The number of training points in each cluster.
    View<std::size_t> cluster_sizes() const& {
        return lend<std::size_t>(kentro_kmeans_cluster_sizes);
    }
    View<std::size_t> cluster_sizes() const&& = delete;

    /// What the training points of each cluster weigh together: their number
    /// where they had no weights.
    View<double> cluster_weights() const& { return lend<double>(kentro_kmeans_cluster_weights); }
    View<double> cluster_weights() const&& = delete;

    /// The row of the training data that is each cluster's medoid; empty
    /// without medoids.
    View<std::size_t> medoid_indices() const& {
        return lend<std::size_t>(kentro_kmeans_medoid_indices);
    }
    View<std::size_t> medoid_indices() const&& = delete;

    /// The coarse cluster that each cluster is in, where the first centroids came
    /// from a tree (Init::tree); else empty.
    View<std::uint32_t> cluster_parents() const& {
        return lend<std::uint32_t>(kentro_kmeans_cluster_parents);
    }
    View<std::uint32_t> cluster_parents() const&& = delete;

    /// The objective that was reached: the sum over all training points of the
    /// squared Euclidean distance, of 1 - cosine, or with medoids of the
    /// (non-squared) distance to the medoid. NaN in a model made of centroids.
    double inertia() const { return get(kentro_kmeans_inertia); }

    /// How far the balanced assignment may be from optimal, relative to the
    /// inertia: a bound by linear programming duality. NaN unless balanced.
    double balance_gap() const { return get(kentro_kmeans_balance_gap); }

    /// How the result was found, where there is more than one way (medoids);
    /// else empty.
    std::string info() const { return get(kentro_kmeans_info); }

    /// Iterations that ran.
    std::size_t n_iter() const { return get(kentro_kmeans_n_iter); }

    /// What is usable but perhaps not what was expected of the result.
    std::vector<std::string> warnings() const {
        std::vector<std::string> warnings(get(kentro_kmeans_n_warnings));
        for (std::size_t i = 0; i < warnings.size(); ++i) {
            const char* text = nullptr;
            detail::call(kentro_kmeans_warning, handle(), i, &text);
            warnings[i] = text;
        }
        return warnings;
    }

    /// @}

    /// For calls of kentro.h; still owned by this object.
    kentro_kmeans* handle() const noexcept { return handle_.get(); }

private:
    using Handle = std::unique_ptr<kentro_kmeans, detail::Deleter<kentro_kmeans_free>>;

    KMeans(const detail::Callbacks& callbacks, Handle handle)
        : handle_(std::move(handle)), callbacks_(callbacks) {}

    static void check_version() {
        const std::uint32_t loaded = kentro_version_number();
        const std::uint32_t minor = loaded >> 8 & 0xff;
        if (loaded >> 16 != KENTRO_VERSION_MAJOR || minor < KENTRO_VERSION_MINOR ||
            (KENTRO_VERSION_MAJOR == 0 && minor != KENTRO_VERSION_MINOR)) {
            throw Error(KENTRO_STATUS_INTERNAL,
                        std::string("This program was built for Kentro " KENTRO_VERSION
                                    ", but found version ") +
                            version() + "; install matching ones");
        }
    }

    static std::size_t threads(std::optional<Count> num_threads) noexcept {
        return num_threads ? std::size_t{*num_threads} : KENTRO_ALL_THREADS;
    }

    /// What a function that makes a model makes.
    template <class Function, class... Arguments>
    static Handle create(Function function, Arguments... arguments) {
        check_version();
        kentro_kmeans* kmeans = nullptr;
        detail::call(function, arguments..., &kmeans);
        return Handle(kmeans);
    }

    static const char* c_path(const std::string& path) {
        if (path.find('\0') != std::string::npos)
            throw Error(KENTRO_STATUS_INVALID_PARAMETER, "path has a NUL in it");
        return path.c_str();
    }

    /// What a `with_*` function does.
    template <class Setter, class... Values>
    KMeans set(Setter setter, Values... values) {
        detail::call(setter, handle(), values...);
        return std::move(*this);
    }

    template <class Value>
    Value get(kentro_status (*getter)(const kentro_kmeans*, Value*, kentro_error*)) const {
        Value value{};
        detail::call(getter, handle(), &value);
        return value;
    }

    template <class T, class Getter>
    View<T> lend(Getter getter) const {
        const T* values = nullptr;
        std::size_t size = 0;
        detail::call(getter, handle(), &values, &size);
        return {values, size};
    }

    Handle handle_;
    detail::Callbacks callbacks_;
};

/// What the rows of one block, or of several, come to for given centroids.
/// Nothing in it is rounded, so the order of merging changes no bit.
class Partial {
public:
    /// Takes over the handle.
    explicit Partial(kentro_partial* handle) : handle_(handle) {}

    /// The partial that `to_bytes` gave these bytes for. They may be anything:
    /// KENTRO_STATUS_INVALID_FILE if they are no whole partial.
    [[nodiscard]] static Partial from_bytes(View<std::uint8_t> bytes) {
        kentro_partial* handle = nullptr;
        detail::call(kentro_partial_deserialize, bytes.data(), bytes.size(), &handle);
        return Partial(handle);
    }
    [[nodiscard]] static Partial from_bytes(const std::vector<std::uint8_t>& bytes) {
        return from_bytes(View<std::uint8_t>(bytes.data(), bytes.size()));
    }

    /// The partial as bytes: see docs/format.md.
    [[nodiscard]] std::vector<std::uint8_t> to_bytes() const {
        std::size_t size = 0;
        detail::call(kentro_partial_serialized_size, handle(), &size);
        std::vector<std::uint8_t> bytes(size);
        detail::call(kentro_partial_serialize, handle(), bytes.data(), size, &size);
        return bytes;
    }

    /// Adds what other rows come to, for the same centroids.
    Partial& merge(const Partial& other) {
        detail::call(kentro_partial_merge, handle_.get(), other.handle());
        return *this;
    }

    /// The next centroids, and whether they are the ones before.
    struct Update {
        std::vector<float> centroids; ///< n_clusters x n_dimensions
        double inertia;               ///< of the centroids before
        /// Rows that changed their cluster; none where a block knew of none.
        std::optional<std::size_t> changed;
        bool converged;
    };

    /// The next centroids, given those that the blocks got: the means of the
    /// clusters, with cosine directions; clusters without rows get the farthest.
    [[nodiscard]] Update finalize(View<float> centroids) const {
        std::vector<float> next(n_clusters() * n_dimensions());
        if (centroids.size() != next.size())
            throw Error(KENTRO_STATUS_INVALID_PARAMETER,
                        "centroids must have n_clusters x n_dimensions values");
        std::int32_t converged = 0;
        detail::call(kentro_partial_finalize, handle(), centroids.data(), next.data(), next.size(),
                     &converged);
        return {std::move(next), inertia(), changed(), converged != 0};
    }
    [[nodiscard]] Update finalize(const std::vector<float>& centroids) const {
        return finalize(View<float>(centroids.data(), centroids.size()));
    }

    /// These centroids, with those of empty clusters on the farthest rows; none if
    /// no cluster is empty, or no row may be there. Training ends so: after the last
    /// iteration it does this again as long as the inertia falls.
    [[nodiscard]] std::optional<std::vector<float>> place_empty(
        const std::vector<float>& centroids) const {
        std::vector<float> next(n_clusters() * n_dimensions());
        if (centroids.size() != next.size())
            throw Error(KENTRO_STATUS_INVALID_PARAMETER,
                        "centroids must have n_clusters x n_dimensions values");
        std::int32_t placed = 0;
        detail::call(kentro_partial_place_empty, handle(), centroids.data(), next.data(),
                     next.size(), &placed);
        if (placed == 0) return std::nullopt;
        return next;
    }

    std::size_t n_clusters() const { return shape().first; }
    std::size_t n_dimensions() const { return shape().second; }

    /// The number of rows of each cluster, as long as this is not merged into.
    View<std::uint64_t> cluster_sizes() const& {
        const std::uint64_t* values = nullptr;
        std::size_t size = 0;
        detail::call(kentro_partial_cluster_sizes, handle(), &values, &size);
        return {values, size};
    }
    View<std::uint64_t> cluster_sizes() const&& = delete;

    /// The sum of weighted distances to the centroids.
    double inertia() const {
        double value = 0;
        detail::call(kentro_partial_inertia, handle(), &value);
        return value;
    }

    /// Rows that changed their cluster since the partial before; none where a
    /// block knew of none.
    std::optional<std::size_t> changed() const {
        std::int64_t value = 0;
        detail::call(kentro_partial_changed, handle(), &value);
        if (value < 0) return std::nullopt;
        return static_cast<std::size_t>(value);
    }

    /// For calls of kentro.h; still owned by this object.
    const kentro_partial* handle() const noexcept { return handle_.get(); }

private:
    std::pair<std::size_t, std::size_t> shape() const {
        std::pair<std::size_t, std::size_t> shape{};
        detail::call(kentro_partial_shape, handle(), &shape.first, &shape.second);
        return shape;
    }

    std::unique_ptr<kentro_partial, detail::Deleter<kentro_partial_free>> handle_;
};

/// Rows that are one part of the data, and what searches among them have found
/// out: a cache. Their memory must outlive the block and not change.
class Block {
public:
    explicit Block(const Points& points, bool euclidean = false) : dimensions_(points.cols()) {
        kentro_block* handle = nullptr;
        detail::call(kentro_block_new, points.handle(), euclidean, &handle);
        handle_.reset(handle);
    }

    /// The least number of each column, then the greatest of each: 2 x
    /// n_dimensions, which merge by minimum and maximum; infinity and -infinity
    /// where no row weighs anything. One pass; `set_ranges` tells what they are for.
    [[nodiscard]] std::vector<double> ranges(std::optional<Count> num_threads = std::nullopt) {
        std::vector<double> ranges(2 * dimensions_);
        const std::size_t threads = num_threads ? std::size_t(*num_threads) : KENTRO_ALL_THREADS;
        detail::call(kentro_block_ranges, handle_.get(), threads, nullptr, ranges.data(),
                     ranges.size());
        return ranges;
    }

    /// Takes the ranges of all blocks together, and with the Euclidean distance the
    /// offset that training on all rows would subtract, where numbers wider than
    /// float lie far from 0. All blocks must get the same, before the first partial.
    /// Centroids are then those less `offset()`.
    void set_ranges(const std::vector<double>& ranges) {
        if (ranges.size() % 2 != 0)
            throw Error(KENTRO_STATUS_INVALID_PARAMETER,
                        "ranges must be the least of each column, then the greatest of each");
        detail::call(kentro_block_set_ranges, handle_.get(), ranges.data(), ranges.size() / 2);
    }

    /// What each column loses before it is rounded to float; 0 where that is nothing.
    [[nodiscard]] std::vector<double> offset() const {
        std::vector<double> offset(dimensions_);
        detail::call(kentro_block_offset, handle_.get(), offset.data(), offset.size());
        return offset;
    }

    /// What the rows come to for these centroids, n_clusters x n_dimensions;
    /// with cosine they are made unit vectors first.
    Partial partial(View<float> centroids, Count n_clusters,
                    std::optional<Count> num_threads = std::nullopt) {
        const std::size_t clusters = n_clusters;
        if (clusters == 0 || centroids.size() % clusters != 0)
            throw Error(KENTRO_STATUS_INVALID_PARAMETER,
                        "centroids must have as many values for each of n_clusters");
        kentro_partial* partial = nullptr;
        const std::size_t threads = num_threads ? std::size_t(*num_threads) : KENTRO_ALL_THREADS;
        detail::call(kentro_block_partial, handle_.get(), centroids.data(), clusters,
                     centroids.size() / clusters, threads, nullptr, &partial);
        return Partial(partial);
    }
    Partial partial(const std::vector<float>& centroids, Count n_clusters,
                    std::optional<Count> num_threads = std::nullopt) {
        return partial(View<float>(centroids.data(), centroids.size()), n_clusters, num_threads);
    }

    /// The answer to a question of a `Seeding`, given its candidates (none at
    /// first), n_candidates x n_dimensions.
    [[nodiscard]] std::vector<std::uint8_t> seed(View<float> candidates, std::size_t n_dimensions,
                                                 View<std::uint8_t> question,
                                                 std::optional<Count> num_threads = std::nullopt) {
        const std::size_t rows = n_dimensions == 0 ? 0 : candidates.size() / n_dimensions;
        kentro_message* answer = nullptr;
        const std::size_t threads = num_threads ? std::size_t(*num_threads) : KENTRO_ALL_THREADS;
        detail::call(kentro_block_seed, handle_.get(), candidates.data(), rows, n_dimensions,
                     question.data(), question.size(), threads, nullptr, &answer);
        return detail::bytes_of(answer);
    }

    /// The number of rows.
    std::size_t rows() const {
        std::size_t rows = 0;
        detail::call(kentro_block_rows, handle_.get(), &rows);
        return rows;
    }

    /// The cluster of every row, as of the last partial.
    [[nodiscard]] std::vector<std::uint32_t> labels() {
        std::vector<std::uint32_t> labels(rows());
        detail::call(kentro_block_labels, handle_.get(), labels.data(), labels.size());
        return labels;
    }

    /// Forgets labels and sums.
    void forget() { detail::call(kentro_block_forget, handle_.get()); }

private:
    std::unique_ptr<kentro_block, detail::Deleter<kentro_block_free>> handle_;
    std::size_t dimensions_;
};

/// First centroids of rows in blocks: those of Init::kmeans_parallel of all rows
/// together, with the same seed, bit for bit, however rows are cut.
///
///     kentro::Seeding seeding(k, true, seed);
///     while (!seeding.done()) {
///         std::vector<std::vector<std::uint8_t>> answers;
///         for (std::size_t i = 0; i < blocks.size(); ++i)
///             answers.push_back(seeding.ask(blocks[i], i));
///         seeding.take(answers);
///     }
class Seeding {
public:
    explicit Seeding(Count n_clusters, bool euclidean = false, std::uint64_t seed = 42) {
        kentro_seeding* handle = nullptr;
        detail::call(kentro_seeding_new, std::size_t(n_clusters), euclidean, seed, &handle);
        handle_.reset(handle);
    }

    /// The rows that were drawn so far, n_dimensions() values each, until answers
    /// are taken.
    View<float> candidates() const& {
        const Lent lent = lend(kentro_seeding_candidates);
        return {lent.values, lent.rows * lent.dims};
    }
    View<float> candidates() const&& = delete;

    /// 0 at first.
    std::size_t n_dimensions() const { return lend(kentro_seeding_candidates).dims; }

    /// What to ask the block of this number, from 0, in the order of rows.
    [[nodiscard]] std::vector<std::uint8_t> question(std::size_t block) const {
        kentro_message* message = nullptr;
        detail::call(kentro_seeding_question, handle_.get(), block, &message);
        return detail::bytes_of(message);
    }

    /// Asks a block of this process.
    [[nodiscard]] std::vector<std::uint8_t> ask(Block& block, std::size_t number,
                                                std::optional<Count> num_threads = std::nullopt) {
        const std::vector<std::uint8_t> asked = question(number);
        return block.seed(candidates(), n_dimensions(),
                          View<std::uint8_t>(asked.data(), asked.size()), num_threads);
    }

    /// Takes the answers of all blocks, in the order of their rows.
    void take(const std::vector<std::vector<std::uint8_t>>& answers,
              std::optional<Count> num_threads = std::nullopt) {
        std::vector<const std::uint8_t*> pointers;
        std::vector<std::size_t> sizes;
        for (const auto& answer : answers) {
            pointers.push_back(answer.data());
            sizes.push_back(answer.size());
        }
        const std::size_t threads = num_threads ? std::size_t(*num_threads) : KENTRO_ALL_THREADS;
        detail::call(kentro_seeding_take, handle_.get(), pointers.data(), sizes.data(),
                     answers.size(), threads, nullptr);
    }

    bool done() const { return lend(kentro_seeding_centroids).values != nullptr; }

    /// n_clusters x n_dimensions, once it is done; with cosine unit vectors.
    [[nodiscard]] std::vector<float> centroids() const {
        const Lent lent = lend(kentro_seeding_centroids);
        if (lent.values == nullptr)
            throw Error(KENTRO_STATUS_INVALID_PARAMETER, "the seeding has more questions");
        return std::vector<float>(lent.values, lent.values + lent.rows * lent.dims);
    }

private:
    struct Lent {
        const float* values;
        std::size_t rows, dims;
    };

    template <class Function>
    Lent lend(Function function) const {
        Lent lent{};
        detail::call(function, handle_.get(), &lent.values, &lent.rows, &lent.dims);
        return lent;
    }

    std::unique_ptr<kentro_seeding, detail::Deleter<kentro_seeding_free>> handle_;
};

/// One number of clusters of `KMeans::sweep`.
struct SweepStep {
    KMeans model;
    double seconds;    ///< how long training took
    double silhouette; ///< the mean of (b - a) / max(a, b), where a is the distance of a
                       ///< row to its own centroid and b that to the nearest other one;
                       ///< NaN for a single cluster
};

inline std::vector<SweepStep> KMeans::sweep(const Points& points,
                                            const std::vector<std::size_t>& ks,
                                            std::optional<Count> num_threads) const {
    std::vector<kentro_kmeans*> models(ks.size());
    std::vector<double> seconds(ks.size()), silhouettes(ks.size());
    std::vector<SweepStep> steps;
    steps.reserve(ks.size());
    detail::Observed call(callbacks_);
    const kentro_status status = kentro_kmeans_sweep(
        handle(), points.handle(), ks.data(), ks.size(), threads(num_threads), call.observer(),
        models.data(), seconds.data(), silhouettes.data(), detail::error());
    for (std::size_t i = 0; i < ks.size() && status == KENTRO_STATUS_OK; ++i)
        steps.push_back({KMeans(callbacks_, Handle(models[i])), seconds[i], silhouettes[i]});
    call.finish(status);
    return steps;
}

/// What `silhouette` finds out.
struct Silhouette {
    double score;     ///< the mean over the rows that were looked at, from -1 to 1
    std::size_t rows; ///< how many they were, each compared with all rows
    bool exact;       ///< whether they were all
};

/// The mean silhouette of the rows in the clusters that `labels` names: any numbers, at
/// least two different ones, one a row. The distance is Euclidean (not squared) or
/// 1 - cosine. `sample`: how many rows to look at; left out: all up to 10,000, of more so
/// many that there are 10^8 pairs, and at least 1,000. `seed` draws them.
inline Silhouette silhouette(const Points& points, const std::vector<std::uint32_t>& labels,
                             bool euclidean, std::optional<Count> sample = std::nullopt,
                             std::uint64_t seed = 0,
                             std::optional<Count> num_threads = std::nullopt) {
    if (sample && *sample == 0) {
        throw Error(KENTRO_STATUS_INVALID_PARAMETER,
                    "sample must be positive, got 0; leave it out for as many rows as are useful");
    }
    double score = 0;
    std::size_t rows = 0;
    detail::call(kentro_silhouette, points.handle(), labels.data(), labels.size(),
                 static_cast<std::int32_t>(euclidean),
                 sample ? static_cast<std::size_t>(*sample) : std::size_t{0}, seed,
                 num_threads ? static_cast<std::size_t>(*num_threads) : KENTRO_ALL_THREADS,
                 static_cast<const kentro_observer*>(nullptr), &score, &rows);
    return {score, rows, rows == points.rows()};
}

} // namespace kentro

#endif // KENTRO_HPP
