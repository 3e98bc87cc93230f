// Two-lepton events with the columns of the stop analysis' n-tuples, made of a few random numbers: not a simulation.
// Of any 164,188 consecutive events, 36,190 pass the preselection of the 139 fb-1 cuts, 25 are in SRA and 214 in SRB.
#ifndef BENCH_STOP4BODY_STANDIN_HPP
#define BENCH_STOP4BODY_STANDIN_HPP

#pragma cling optimize(2)

#include <TFile.h>
#include <TTree.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "random.hpp"

namespace bench::stop4body_standin {

struct Particle {
   float pT = 0, eta = 0, phi = 0;
};

// Momenta and masses in GeV.
struct Event {
   std::array<Particle, 2> lepton;
   std::array<int, 2> flavour{}, charge{};
   std::array<Particle, 4> jet;
   std::array<int, 2> jetB{};
   int nLep = 2, nJet = 0, nBJet = 0;
   float MET = 0, METphi = 0, METsig = 0;
   float mll = 0, R2l = 0, R2l4j = 0, pTllboost = 0, dPhiBoost = 0, minDRl2j = 0;
};

enum class Kind { kSRA, kSRB, kPreselected, kOther };

constexpr std::uint64_t kPeriod = 164188;

// The events of a period in another order, so that the rare ones lie everywhere; 60013 and the period have no common
// factor.
inline Kind KindOf(std::uint64_t event)
{
   const auto place = (event * 60013 + 12345) % kPeriod;
   return place < 25 ? Kind::kSRA : place < 25 + 214 ? Kind::kSRB : place < 36190 ? Kind::kPreselected : Kind::kOther;
}

inline double DeltaPhi(double a, double b)
{
   return std::remainder(a - b, 2 * M_PI);
}

// What follows from momenta; arXiv:2102.01444 defines the ratios.
inline void Derive(Event &e)
{
   const auto &[l1, l2] = e.lepton;
   e.mll = std::sqrt(2 * l1.pT * l2.pT * (std::cosh(l1.eta - l2.eta) - std::cos(DeltaPhi(l1.phi, l2.phi))));
   double jets = 0;
   e.minDRl2j = 10;
   for (int i = 0; i < std::min(e.nJet, 4); ++i) {
      jets += e.jet[i].pT;
      e.minDRl2j = std::min<float>(e.minDRl2j, std::hypot(l2.eta - e.jet[i].eta, DeltaPhi(l2.phi, e.jet[i].phi)));
   }
   e.R2l = e.MET / (l1.pT + l2.pT);
   e.R2l4j = e.MET / (e.MET + l1.pT + l2.pT + jets);
   const double x = e.MET * std::cos(e.METphi) + l1.pT * std::cos(l1.phi) + l2.pT * std::cos(l2.phi);
   const double y = e.MET * std::sin(e.METphi) + l1.pT * std::sin(l1.phi) + l2.pT * std::sin(l2.phi);
   e.pTllboost = std::hypot(x, y);
   e.dPhiBoost = std::abs(DeltaPhi(e.METphi, std::atan2(y, x)));
}

inline Event Generate(Kind kind, Random &random)
{
   Event e;
   const bool inRegion = kind == Kind::kSRA || kind == Kind::kSRB;
   auto &[l1, l2] = e.lepton;
   if (kind == Kind::kSRA) {
      l1.pT = random.Uniform(7, 10), l2.pT = random.Uniform(4.6, 6.2);
   } else if (kind == Kind::kSRB) {
      l1.pT = random.Uniform(14, 18), l2.pT = random.Uniform(10.6, 13);
   } else {
      l1.pT = 8 + random.Exponential(40), l2.pT = 4.5 + (l1.pT - 4.5) * random.Uniform();
   }
   l1.phi = random.Uniform(-M_PI, M_PI);
   // Back to back enough for a mass above 10 GeV, so that only what a kind is not decides against it.
   l2.phi = DeltaPhi(l1.phi + M_PI + random.Uniform(-0.5, 0.5), 0);
   l1.eta = random.Uniform(-2, 2), l2.eta = l1.eta + random.Uniform(1, 2) * (l1.eta > 0 ? -1 : 1);
   for (int i = 0; i < 2; ++i)
      e.flavour[i] = random.Uniform() < 0.5 ? 11 : 13;
   e.charge[0] = random.Uniform() < 0.5 ? 1 : -1;
   e.charge[1] = -e.charge[0];

   e.MET = kind == Kind::kOther ? random.Exponential(60) : (inRegion ? 425 : 202) + random.Exponential(60);
   e.METphi = random.Uniform(-M_PI, M_PI);
   e.METsig = inRegion ? random.Uniform(11, 20) : random.Uniform(2, 14);
   e.nJet = inRegion ? 1 + (random.Uniform() < 0.5) : 1 + std::min(3, int(random.Exponential(1.2)));
   for (int i = 0; i < e.nJet; ++i) {
      auto &jet = e.jet[i];
      jet.pT = i ? 20 + (std::min<double>(e.jet[i - 1].pT, 100) - 20) * random.Uniform() : 155 + random.Exponential(40);
      if (inRegion)
         jet.pT = std::min<float>(jet.pT, i ? 80 : 320);
      jet.eta = random.Uniform(-2.4, 2.4), jet.phi = random.Uniform(-M_PI, M_PI);
      if (inRegion)
         jet.eta = l2.eta > 0 ? random.Uniform(-2.4, -1.4) + std::min<float>(0, l2.eta)
                              : random.Uniform(1.4, 2.4) + std::max<float>(0, l2.eta);
      const bool tagged = random.Uniform() < (i ? 0.15 : 0.5);
      e.nBJet += tagged;
      if (i < 2)
         e.jetB[i] = tagged;
   }
   if (kind == Kind::kOther) {
      // Fails for one reason or another.
      const double reason = random.Uniform();
      if (reason < 0.4)
         e.MET = std::min<float>(e.MET, 195);
      else if (reason < 0.7)
         e.jet[0].pT = random.Uniform(20, 145);
      else if (reason < 0.9)
         e.charge[1] = e.charge[0];
      else
         e.nLep = 3;
      for (int i = 1; i < e.nJet; ++i)
         e.jet[i].pT = std::min(e.jet[i].pT, e.jet[i - 1].pT);
   }
   // Only what is meant to be in a region gets there.
   if (kind == Kind::kPreselected && e.MET > 390)
      e.METsig = std::min<float>(e.METsig, 8);
   Derive(e);
   return e;
}

// The event with one of the variations applied; the missing momentum follows the leading jet.
inline void Shift(Event &e, const std::string &variation, double sign, Random &random)
{
   const auto begins = [&](const char *text) { return variation.rfind(text, 0) == 0; };
   const double spread = random.Gauss();
   if (begins("EG_") || begins("MUON_")) {
      for (int i = 0; i < 2; ++i)
         if (e.flavour[i] == (begins("EG_") ? 11 : 13))
            e.lepton[i].pT *= 1 + sign * (0.005 + 0.005 * std::abs(spread));
      if (e.lepton[1].pT > e.lepton[0].pT) {
         std::swap(e.lepton[0], e.lepton[1]);
         std::swap(e.flavour[0], e.flavour[1]);
         std::swap(e.charge[0], e.charge[1]);
      }
   } else if (begins("JET_")) {
      const double size = begins("JET_JER") ? 0.02 * spread : sign * 0.015;
      e.MET = std::max(0., e.MET - 0.5 * size * e.jet[0].pT);
      for (int i = 0; i < e.nJet; ++i)
         e.jet[i].pT *= 1 + size;
   } else {
      e.MET = std::max(0., e.MET + (begins("MET_SoftTrk_Reso") ? 5 * spread : sign * 4));
   }
   Derive(e);
}

// Write the events [first, last) of a campaign into one tree; `stream` tells variations apart, 0 is the nominal one.
inline void WriteTree(TFile &file, const char *name, const std::string &variation, double sign, std::uint64_t stream,
                      const std::vector<std::string> &weights, unsigned runNumber, std::uint64_t first,
                      std::uint64_t last, std::uint64_t seed, Long64_t perCluster)
{
   file.cd();
   TTree tree(name, "generated events, not data");
   Event e;
   ULong64_t number = 0;
   UInt_t run = runNumber;
   float weight = 0, bTag = 0, pileUp = 0;
   std::vector<float> factors(weights.size());
   tree.Branch("RunNumber", &run);
   tree.Branch("EventNumber", &number);
   for (const auto &[column, value] : std::vector<std::pair<std::string, float *>>{
           {"weight", &weight}, {"WeightEventsbTag", &bTag}, {"WeightEventsPU", &pileUp}, {"MET", &e.MET},
           {"METphi", &e.METphi}, {"METsig", &e.METsig}, {"mll", &e.mll}, {"R2l", &e.R2l}, {"R2l4j", &e.R2l4j},
           {"pTllboost", &e.pTllboost}, {"dPhiBoost", &e.dPhiBoost}, {"minDRl2j", &e.minDRl2j}})
      tree.Branch(column.c_str(), value);
   for (const auto &[column, value] : std::vector<std::pair<std::string, int *>>{
           {"nLep", &e.nLep}, {"nJet", &e.nJet}, {"nBJet", &e.nBJet}, {"jet1B", &e.jetB[0]}, {"jet2B", &e.jetB[1]},
           {"lep1Flavour", &e.flavour[0]}, {"lep2Flavour", &e.flavour[1]}, {"lep1Charge", &e.charge[0]},
           {"lep2Charge", &e.charge[1]}})
      tree.Branch(column.c_str(), value);
   const auto add = [&](const std::string &prefix, Particle &particle) {
      tree.Branch((prefix + "pT").c_str(), &particle.pT);
      tree.Branch((prefix + "Eta").c_str(), &particle.eta);
      tree.Branch((prefix + "Phi").c_str(), &particle.phi);
   };
   for (int i = 0; i < 2; ++i)
      add("lep" + std::to_string(i + 1), e.lepton[i]);
   for (int i = 0; i < 4; ++i)
      add("jet" + std::to_string(i + 1), e.jet[i]);
   for (std::size_t i = 0; i < weights.size(); ++i)
      tree.Branch(weights[i].c_str(), &factors[i]);
   tree.SetAutoFlush(perCluster);

   for (auto event = first; event < last; ++event) {
      auto random = Random(seed).With(0).With(event);
      e = Generate(KindOf(event), random);
      number = event + 1;
      weight = 0.002 * (1 + 0.1 * random.Gauss());
      bTag = 1 + 0.02 * random.Gauss();
      pileUp = 1 + 0.05 * random.Gauss();
      for (std::size_t i = 0; i < factors.size(); ++i)
         factors[i] = 1 + (i % 2 ? -1 : 1) * (0.002 + 0.001 * (i % 7)) * (1 + 0.1 * random.Gauss());
      if (stream) {
         auto other = Random(seed).With(stream).With(event);
         // Objects cross thresholds, so trees of variations have other entries than the nominal one.
         if (other.Uniform() < 0.003)
            continue;
         Shift(e, variation, sign, other);
      }
      tree.Fill();
   }
   tree.Write();
}

} // namespace bench::stop4body_standin
#endif
