// Random numbers for generated events.
#ifndef BENCH_RANDOM_HPP
#define BENCH_RANDOM_HPP

#include <cmath>
#include <cstdint>

namespace bench {

// splitmix64 (Steele, Lea, Flood 2014). Each event starts from a state of its own, made of the seed and the event's own
// number, so that it is the same whichever events are generated beside it.
class Random {
public:
   static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ull;

   explicit Random(std::uint64_t state, std::uint64_t step = kStep) : fState(state), fStep(step) {}

   // The generator that starts from another state, which depends on this one's and on a word.
   Random With(std::uint64_t word) const
   {
      Random other = *this;
      other.fState = other.Next() ^ word;
      return other;
   }
   std::uint64_t Next()
   {
      std::uint64_t z = (fState += fStep);
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
      return z ^ (z >> 31);
   }
   double Uniform() { return (Next() >> 11) * 0x1p-53; }
   double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
   bool Chance(double probability) { return Uniform() < probability; }
   double Exponential(double mean) { return -mean * std::log(1 - Uniform()); }
   double Gauss()
   {
      const double u = 1 - Uniform(), v = Uniform();
      return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
   }
   int Poisson(double mean)
   {
      int n = 0;
      for (double product = Uniform(); product > std::exp(-mean); product *= Uniform())
         ++n;
      return n;
   }

private:
   std::uint64_t fState, fStep;
};

} // namespace bench
#endif
