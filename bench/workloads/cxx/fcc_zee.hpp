// Z -> ee candidates from EDM4hep reconstructed particles.
//
// The guard lets the same text be declared any number of times in one interpreter: a Dask worker sees it with every
// task.
#ifndef BENCH_FCC_ZEE_HPP
#define BENCH_FCC_ZEE_HPP

// Interpreted code is compiled without optimisation unless it asks for it.
#pragma cling optimize(2)

#include <Math/QuantFuncMathCore.h>
#include <ROOT/RVec.hxx>
#include <RtypesCore.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <vector>

namespace bench::fcc_zee {

// GeV. Particle Data Group, Review of Particle Physics (2022).
constexpr double electronMass = 0.00051099895;
constexpr double zMass = 91.1876;

// Angular distances are taken in pseudorapidity and azimuth.
struct Candidate {
   int nUnset = 0;      // references to electrons that were never set
   int nElectrons = 0;  // electrons that the references lead to
   int nAboveCut = 0;   // of these, with pT above the cut
   bool isPair = false; // two of these have opposite charge
   double mass = 0;     // GeV, of the pair
   double e1 = 0;       // GeV, the higher of the two energies
   double e2 = 0;       // GeV, the lower
   double deltaR = 0;
   int first = -1;  // of the pair, in the order of the references: numbers in the collection of particles
   int second = -1;
};

using Floats = ROOT::VecOps::RVec<float>;

class Electrons {
public:
   Electrons(const Floats &energy, const Floats &px, const Floats &py, const Floats &pz, const Floats &charge)
      : fEnergy(energy), fPx(px), fPy(py), fPz(pz), fCharge(charge)
   {
   }
   int Size() const { return static_cast<int>(fEnergy.size()); }
   double Energy(int i) const { return fEnergy[i]; }
   double Pt(int i) const { return std::hypot(double(fPx[i]), double(fPy[i])); }
   double Eta(int i) const { return std::asinh(double(fPz[i]) / Pt(i)); }
   bool Opposite(int i, int j) const { return fCharge[i] * fCharge[j] < 0; }

   // m^2 = 2 m_e^2 + 2 (E1 E2 - p1.p2)
   double Mass(int i, int j) const
   {
      const double dot = double(fPx[i]) * fPx[j] + double(fPy[i]) * fPy[j] + double(fPz[i]) * fPz[j];
      const double m2 = 2 * electronMass * electronMass + 2 * (double(fEnergy[i]) * fEnergy[j] - dot);
      return m2 > 0 ? std::sqrt(m2) : 0;
   }

   double DeltaR(int i, int j) const
   {
      const double dPhi = std::remainder(
         std::atan2(double(fPy[i]), double(fPx[i])) - std::atan2(double(fPy[j]), double(fPx[j])), 2 * M_PI);
      return std::hypot(Eta(i) - Eta(j), dPhi);
   }

private:
   const Floats &fEnergy, &fPx, &fPy, &fPz, &fCharge;
};

// The pair of opposite charge whose mass is closest to that of the Z; the first one found where two are equally close.
inline Candidate Select(const ROOT::VecOps::RVec<int> &references, const Floats &energy, const Floats &px,
                        const Floats &py, const Floats &pz, const Floats &charge, double minPt)
{
   const Electrons electrons(energy, px, py, pz, charge);
   Candidate candidate;
   std::vector<int> selected;
   for (const int i : references) {
      // podio writes -2 where a reference was never set: looked up unchecked it would give another particle, or memory
      // beyond the array.
      if (i < 0 || i >= electrons.Size()) {
         ++candidate.nUnset;
         continue;
      }
      ++candidate.nElectrons;
      if (electrons.Pt(i) > minPt)
         selected.push_back(i);
   }
   candidate.nAboveCut = static_cast<int>(selected.size());

   double closest = std::numeric_limits<double>::infinity();
   int &first = candidate.first, &second = candidate.second;
   for (std::size_t a = 0; a < selected.size(); ++a) {
      for (std::size_t b = a + 1; b < selected.size(); ++b) {
         if (!electrons.Opposite(selected[a], selected[b]))
            continue;
         const double mass = electrons.Mass(selected[a], selected[b]);
         if (std::abs(mass - zMass) < closest) {
            closest = std::abs(mass - zMass);
            candidate.mass = mass;
            first = selected[a];
            second = selected[b];
         }
      }
   }
   if (first >= 0) {
      candidate.isPair = true;
      candidate.e1 = std::max(electrons.Energy(first), electrons.Energy(second));
      candidate.e2 = std::min(electrons.Energy(first), electrons.Energy(second));
      candidate.deltaR = electrons.DeltaR(first, second);
   }
   return candidate;
}

// A bijection of 64 bits that leaves no pattern: the output function of splitmix64 (Steele, Lea, Flood 2014).
inline std::uint64_t Mixed(std::uint64_t z)
{
   z += 0x9E3779B97F4A7C15ull;
   z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
   z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
   return z ^ (z >> 31);
}

// A standard normal number that depends on the key and on nothing else: there is no state, so it does not matter which
// thread or worker asks, nor in which order.
inline double Normal(std::initializer_list<std::uint64_t> key)
{
   std::uint64_t state = 0;
   for (const std::uint64_t word : key)
      state = Mixed(state ^ word);
   // The upper 53 bits, in the middle of their interval: never 0 or 1.
   return ROOT::Math::normal_quantile((static_cast<double>(state >> 11) + 0.5) * 0x1p-53, 1);
}

// GeV. Mass of the pair after each momentum was scaled by (E + width g) / E with a normal g of its own, the directions
// kept. Energies do not get below 0.
inline double SmearedMass(const Candidate &pair, const Floats &energy, double width, ULong64_t sample, ULong64_t file,
                          ULong64_t entry, int repetition)
{
   auto scale = [&](int i) {
      const auto object = static_cast<std::uint64_t>(i), round = static_cast<std::uint64_t>(repetition);
      return std::max(0., 1 + width / energy[i] * Normal({sample, file, entry, object, round}));
   };
   const double rest = 2 * electronMass * electronMass;
   return std::sqrt(std::max(0., rest + scale(pair.first) * scale(pair.second) * (pair.mass * pair.mass - rest)));
}

} // namespace bench::fcc_zee
#endif
