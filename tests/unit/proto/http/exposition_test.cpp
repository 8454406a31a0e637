// Prometheus' text, held to what prometheus-cpp writes.
#include "proto/http/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace telpher::http {
namespace {

using testing::HasSubstr;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

TEST(Exposition, SaysWhatPrometheusCppSays) {
    TimeHistogram histogram;
    histogram.observe(50'000, 3);
    histogram.observe(1'000'000);
    histogram.observe(70'000'000'000, 2);
    prometheus::MetricFamily gauge{"g", "a gauge", prometheus::MetricType::Gauge, {}};
    prometheus::MetricFamily counts{"h_seconds", "a histogram", prometheus::MetricType::Histogram, {}};
    Exposition ours;
    ours.begin("g", "gauge", "a gauge");
    for (const double value : {0.0, 1.0, -1.0, 0.5, 1e6, 1234567.25, 4503599627370496.0}) {
        prometheus::ClientMetric metric;
        metric.label = {{"a", "\"x\"\\\n"}, {"n", std::to_string(value)}};
        metric.gauge.value = value;
        gauge.metric.push_back(metric);
        ours.sample(Exposition::labels({{"a", "\"x\"\\\n"}, {"n", std::to_string(value)}}), value);
    }
    prometheus::ClientMetric metric;
    metric.label = {{"queue", "jobs"}};
    metric.histogram.sample_sum = histogram.sum() * 1e-9;
    for (std::size_t i = 0; i < TimeHistogram::kBuckets; ++i) {
        metric.histogram.sample_count += histogram.counts()[i];
        const double bound = i < TimeBounds::kBounds.size() ? static_cast<double>(TimeBounds::kBounds[i]) * 1e-9
                                                            : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({metric.histogram.sample_count, bound});
    }
    counts.metric.push_back(metric);
    ours.begin("h_seconds", "histogram", "a histogram");
    ours.histogram(Exposition::labels({{"queue", "jobs"}}), histogram, 1e9);

    // The order within a histogram is free, and so is the way a number is written.
    const auto normal = [](const std::string& text) {
        std::multiset<std::string> all;
        for (const std::string& line : lines_of(text)) {
            const std::size_t space = line.rfind(' ');
            std::string name = line.substr(0, space);
            std::smatch bound;
            if (std::regex_search(name, bound, std::regex("le=\"([0-9.e-]+)\"")))
                name = bound.prefix().str() + std::to_string(std::stod(bound[1])) + bound.suffix().str();
            const bool number = !line.starts_with("#");
            all.insert(number ? name + " " + std::to_string(std::stod(line.substr(space))) : line);
        }
        return all;
    };
    EXPECT_EQ(normal(ours.take()), normal(prometheus::TextSerializer().Serialize({gauge, counts})));
}

TEST(Exposition, WritesNumbersAsPeopleDo) {
    Exposition page;
    page.begin("h", "histogram", "");
    page.histogram("", TimeHistogram(), 1e9);
    page.sample("", 1e-9);
    page.sample("", 123456789.25);
    page.sample("", 1e300);
    const std::string text = page.take();
    for (const char* bound : {"0.0001", "0.00025", "0.075", "7.5", "60", "+Inf"}) {
        EXPECT_THAT(text, HasSubstr("h_bucket{le=\"" + std::string(bound) + "\"} 0\n"));
    }
    EXPECT_THAT(text, HasSubstr("h 1e-09\nh 123456789.25\nh 1e+300\n"));
}

}  // namespace
}  // namespace telpher::http
