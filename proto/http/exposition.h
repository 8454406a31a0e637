// Prometheus' text format 0.0.4, written into one string. Pure; used by one thread at a time. Its own writer, because
// prometheus-cpp's takes twice the time that a scrape of a thousand queues may: the unit test holds it to that one's
// output.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/histogram.h"

namespace telpher::http {

class Exposition {
public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// The family that the following samples belong to. `type` is counter, gauge or histogram.
    void begin(std::string_view name, std::string_view type, std::string_view help);
    /// `name="value",...` as sample() and histogram() take it, escaped.
    static std::string labels(Labels labels);
    void sample(std::string_view labels, double value);
    /// Bounds and sum are divided by `unit`.
    template <class Bounds>
    void histogram(std::string_view labels, const Histogram<Bounds>& histogram, double unit);

    void reserve(std::size_t bytes) { text_.reserve(bytes); }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void line(std::string_view suffix, std::string_view labels, double value);
    void number(double value);

    std::string name_;
    std::string text_;
};

template <class Bounds>
void Exposition::histogram(std::string_view labels, const Histogram<Bounds>& histogram, double unit) {
    constexpr const auto& kBounds = Bounds::kBounds;
    const std::string_view comma = labels.empty() ? "" : ",";
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
        below += histogram.counts()[i];
        text_.append(name_).append("_bucket{").append(labels).append(comma).append("le=\"");
        if (i < kBounds.size())
            number(static_cast<double>(kBounds[i]) / unit);
        else
            text_.append("+Inf");
        text_.append("\"} ");
        number(static_cast<double>(below));
        text_.push_back('\n');
    }
    line("_sum", labels, histogram.sum() / unit);
    line("_count", labels, static_cast<double>(below));
}

}  // namespace telpher::http
