// Z -> ee events made of a few random numbers: the columns that the analysis reads, not a simulation of a detector.
#ifndef BENCH_STANDIN_HPP
#define BENCH_STANDIN_HPP

#pragma cling optimize(2)

#include <TFile.h>
#include <TTree.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "random.hpp"

namespace bench::standin {

inline void WriteFccZee(const char *path, Long64_t entries, std::uint64_t seed)
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
      // The events start kStep apart: with steps of that length their numbers would be one another's, shifted.
      Random random(entry * Random::kStep ^ seed * 0xBF58476D1CE4E5B9ull, 0xD1B54A32D192ED03ull);
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
