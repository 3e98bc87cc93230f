// Z -> ee events made of a few random numbers: the columns that the analysis reads, not a simulation of a detector.
#ifndef BENCH_STANDIN_HPP
#define BENCH_STANDIN_HPP

#pragma cling optimize(2)

#include <TFile.h>
#include <TTree.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace bench::standin {

// splitmix64 (Steele, Lea, Flood 2014) over a counter: the numbers of an event depend on the seed and its own number.
class Random {
public:
   Random(std::uint64_t seed, std::uint64_t entry)
      : fState(entry * 0x9E3779B97F4A7C15ull ^ seed * 0xBF58476D1CE4E5B9ull)
   {
   }
   double Uniform()
   {
      std::uint64_t z = (fState += 0xD1B54A32D192ED03ull);
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
      return ((z ^ (z >> 31)) >> 11) * 0x1p-53;
   }
   double Gauss()
   {
      const double u = 1 - Uniform(), v = Uniform();
      return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
   }

private:
   std::uint64_t fState;
};

inline void WriteFccZee(const char *path, Long64_t entries, std::uint64_t seed = 0)
{
   TFile file(path, "RECREATE", "", 505);
   TTree tree("events", "generated events, not data");
   std::vector<float> energy, px, py, pz, charge;
   std::vector<int> index, collection;
   tree.Branch("ReconstructedParticles.energy", &energy);
   tree.Branch("ReconstructedParticles.momentum.x", &px);
   tree.Branch("ReconstructedParticles.momentum.y", &py);
   tree.Branch("ReconstructedParticles.momentum.z", &pz);
   tree.Branch("ReconstructedParticles.charge", &charge);
   tree.Branch("Electron#0.index", &index);
   tree.Branch("Electron#0.collectionID", &collection);
   tree.SetAutoFlush(entries);
   for (Long64_t entry = 0; entry < entries; ++entry) {
      Random random(seed, entry);
      for (auto *column : {&energy, &px, &py, &pz, &charge})
         column->clear();
      index.clear();
      collection.clear();
      const double halfMass = 0.5 * (91.19 + 1.1 * random.Gauss());
      const double cosTheta = 2 * random.Uniform() - 1, phi = 2 * M_PI * random.Uniform();
      const double sinTheta = std::sqrt(1 - cosTheta * cosTheta);
      for (const int sign : {+1, -1}) {
         const double p = halfMass * (1 + 0.01 * random.Gauss());
         px.push_back(sign * p * sinTheta * std::cos(phi));
         py.push_back(sign * p * sinTheta * std::sin(phi));
         pz.push_back(sign * p * cosTheta);
         energy.push_back(p);
         charge.push_back(-sign);
         // As in the real file, some references were never set (-2), and some electrons were not found.
         const double luck = random.Uniform();
         if (luck > 0.95)
            continue;
         index.push_back(luck > 0.8 ? -2 : static_cast<int>(energy.size()) - 1);
         collection.push_back(luck > 0.8 ? -2 : 6);
      }
      tree.Fill();
   }
   tree.Write();
   file.Close();
}

} // namespace bench::standin
#endif
