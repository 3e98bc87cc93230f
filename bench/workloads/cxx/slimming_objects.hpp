// Object selection, overlap removal and missing momentum for DAOD_PHYSLITE, for the nominal event and for each shifted
// one. Plain C++: nothing here knows of ROOT. Momenta in MeV as in the file; cuts in GeV as in papers.
#ifndef BENCH_SLIMMING_OBJECTS_HPP
#define BENCH_SLIMMING_OBJECTS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench::slimming {

constexpr double MeV = 1e-3; // in GeV
// GeV. Particle Data Group, Review of Particle Physics (2022).
constexpr double muonMass = 0.1056583755;

struct Cuts {
   double electronPt, electronEta, muonPt, muonEta, jetPt, jetEta, jvtPt, jvtEta;
   double btag, btagCharmFraction, btagEta;
   double overlapElectronMuon, overlapJetElectron, overlapBJetElectronPt, overlapLepton, overlapLeptonSlope;
   double overlapLeptonMax;
   int muonQuality, vertexType, leptons, jets;
};

enum class Target {
   nominal, electronScale, electronResolution, muonScale, muonResolution, muonSagitta, jetScale, jetResolution,
   softScale, softParallel, softPerpendicular
};

inline Target TargetOf(const std::string &name)
{
   static const std::map<std::string, Target> targets{
      {"nominal", Target::nominal},
      {"electron_scale", Target::electronScale},
      {"electron_resolution", Target::electronResolution},
      {"muon_scale", Target::muonScale},
      {"muon_resolution", Target::muonResolution},
      {"muon_sagitta", Target::muonSagitta},
      {"jet_scale", Target::jetScale},
      {"jet_resolution", Target::jetResolution},
      {"soft_scale", Target::softScale},
      {"soft_parallel", Target::softParallel},
      {"soft_perpendicular", Target::softPerpendicular},
   };
   const auto found = targets.find(name);
   if (found == targets.end())
      throw std::runtime_error("there is no shift " + name);
   return found->second;
}

// `size` is relative (pT), in 1/GeV (sagitta: of charge/pT) or in GeV (soft term). `etaMin` and `etaMax` bound |eta| or,
// where `side` is not 0, the eta of that sign.
struct Variation {
   std::string name;
   Target target = Target::nominal;
   double size = 0, etaMin = 0, etaMax = 99;
   int side = 0;
   std::uint64_t stream = 0; // of the random numbers of a resolution: one a variation

   bool Shifts(double eta) const
   {
      return std::abs(eta) >= etaMin && std::abs(eta) < etaMax && (side == 0 || side * eta > 0);
   }
};

// What is read of an event. Pointers to the columns, so that nothing is copied.
template <typename Floats, typename Ints>
struct Input {
   const Floats &elPt, &elEta, &elPhi, &elMass, &elCharge;
   const Ints &elLoose;
   const Floats &muPt, &muEta, &muPhi, &muCharge;
   const Ints &muQuality;
   const Floats &jetPt, &jetEta, &jetPhi, &jetMass;
   const Ints &jetJvt;
   const Floats &btagB, &btagC, &btagU;
   double softX, softY; // MeV
   std::uint64_t run, event;
};

// One shifted event. The vectors are parallel to the objects that the event keeps.
struct Shifted {
   std::vector<float> elPt, muPt, jetPt, jetMass; // MeV
   std::vector<char> elSelected, muSelected, jetSelected;
   float met = 0, metPhi = 0; // MeV
   char passes = 0;
};

// `el`, `mu` and `jet` are the places, in the file's containers, of the objects that some variation selects before
// overlap removal. `shifted` is parallel to the variations, of which the first is the nominal one.
struct Slimmed {
   std::vector<int> el, mu, jet;
   std::vector<char> jetTagged;
   std::vector<Shifted> shifted;
   bool keep = false;
};

// splitmix64 (Steele, Lea, Flood 2014) over a key: run, event, stream and object give the same number wherever and in
// whatever order the event is looked at.
inline double Gauss(std::uint64_t run, std::uint64_t event, std::uint64_t stream, std::uint64_t object)
{
   std::uint64_t state = 0;
   const auto next = [&state](std::uint64_t key) {
      std::uint64_t z = (state += 0x9E3779B97F4A7C15ull) ^ key;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
      return state = z ^ (z >> 31);
   };
   for (const std::uint64_t key : {run, event, stream, object})
      next(key);
   const double u = 1 - (next(1) >> 11) * 0x1p-53, v = (next(2) >> 11) * 0x1p-53;
   return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

inline double DeltaR(double eta1, double phi1, double eta2, double phi2)
{
   return std::hypot(eta1 - eta2, std::remainder(phi1 - phi2, 2 * M_PI));
}

template <typename Floats, typename Ints>
class Slimmer {
public:
   Slimmer(const Input<Floats, Ints> &in, const Cuts &cuts) : fIn(in), fCuts(cuts) {}

   Slimmed operator()(const std::vector<Variation> &variations)
   {
      Slimmed out;
      std::vector<char> anyEl(fIn.elPt.size()), anyMu(fIn.muPt.size()), anyJet(fIn.jetPt.size());
      fTagged.resize(fIn.jetPt.size());
      for (std::size_t i = 0; i < fTagged.size(); ++i)
         fTagged[i] = IsTagged(i);
      for (const auto &variation : variations)
         fEvents.push_back(Select(variation, anyEl, anyMu, anyJet));
      for (auto &event : fEvents)
         RemoveOverlaps(event);
      out.el = Places(anyEl);
      out.mu = Places(anyMu);
      out.jet = Places(anyJet);
      out.jetTagged = Taken(fTagged, out.jet);
      for (std::size_t v = 0; v < variations.size(); ++v) {
         out.shifted.push_back(Finished(fEvents[v], variations[v], out));
         out.keep |= out.shifted.back().passes != 0;
      }
      return out;
   }

private:
   struct Event {
      std::vector<float> elPt, muPt, jetPt, jetMass;
      std::vector<char> el, mu, jet; // selected or not
   };

   static std::vector<int> Places(const std::vector<char> &any)
   {
      std::vector<int> places;
      for (std::size_t i = 0; i < any.size(); ++i)
         if (any[i])
            places.push_back(static_cast<int>(i));
      return places;
   }

   template <typename T>
   static std::vector<T> Taken(const std::vector<T> &all, const std::vector<int> &places)
   {
      std::vector<T> taken;
      for (const int i : places)
         taken.push_back(all[i]);
      return taken;
   }

   bool IsTagged(std::size_t i) const
   {
      if (std::abs(fIn.jetEta[i]) >= fCuts.btagEta || i >= fIn.btagB.size())
         return false;
      const double background =
         fCuts.btagCharmFraction * fIn.btagC[i] + (1 - fCuts.btagCharmFraction) * fIn.btagU[i];
      return std::log(fIn.btagB[i] / background) > fCuts.btag;
   }

   double Relative(const Variation &variation, bool smears, std::uint64_t container, std::size_t i) const
   {
      const double size = variation.size;
      return 1 + (smears ? size * Gauss(fIn.run, fIn.event, variation.stream, 4 * i + container) : size);
   }

   float Electron(const Variation &v, std::size_t i) const
   {
      const bool smears = v.target == Target::electronResolution;
      if ((smears || v.target == Target::electronScale) && v.Shifts(fIn.elEta[i]))
         return fIn.elPt[i] * Relative(v, smears, 0, i);
      return fIn.elPt[i];
   }

   float Muon(const Variation &v, std::size_t i) const
   {
      const bool smears = v.target == Target::muonResolution;
      if ((smears || v.target == Target::muonScale) && v.Shifts(fIn.muEta[i]))
         return fIn.muPt[i] * Relative(v, smears, 1, i);
      // A sagitta bias adds to the curvature, with the charge's sign.
      if (v.target == Target::muonSagitta && v.Shifts(fIn.muEta[i]))
         return fIn.muPt[i] / (1 + fIn.muCharge[i] * v.size * fIn.muPt[i] * MeV);
      return fIn.muPt[i];
   }

   double Jet(const Variation &v, std::size_t i) const
   {
      const bool smears = v.target == Target::jetResolution;
      if ((smears || v.target == Target::jetScale) && v.Shifts(fIn.jetEta[i]))
         return std::max(0.0, Relative(v, smears, 2, i));
      return 1;
   }

   Event Select(const Variation &variation, std::vector<char> &anyEl, std::vector<char> &anyMu,
                std::vector<char> &anyJet) const
   {
      Event event;
      for (std::size_t i = 0; i < anyEl.size(); ++i) {
         event.elPt.push_back(Electron(variation, i));
         event.el.push_back(event.elPt[i] * MeV > fCuts.electronPt && std::abs(fIn.elEta[i]) < fCuts.electronEta &&
                            fIn.elLoose[i]);
         anyEl[i] |= event.el[i];
      }
      for (std::size_t i = 0; i < anyMu.size(); ++i) {
         event.muPt.push_back(Muon(variation, i));
         event.mu.push_back(event.muPt[i] * MeV > fCuts.muonPt && std::abs(fIn.muEta[i]) < fCuts.muonEta &&
                            (fIn.muQuality[i] & 7) <= fCuts.muonQuality);
         anyMu[i] |= event.mu[i];
      }
      for (std::size_t i = 0; i < anyJet.size(); ++i) {
         const double factor = Jet(variation, i);
         event.jetPt.push_back(fIn.jetPt[i] * factor);
         event.jetMass.push_back(fIn.jetMass[i] * factor);
         const double pt = event.jetPt[i] * MeV, eta = std::abs(fIn.jetEta[i]);
         const bool vertexMatters = pt < fCuts.jvtPt && eta < fCuts.jvtEta;
         event.jet.push_back(pt > fCuts.jetPt && eta < fCuts.jetEta && (!vertexMatters || fIn.jetJvt[i]));
         anyJet[i] |= event.jet[i];
      }
      return event;
   }

   // In this order, each step among what the one before has left: electrons at muons, jets at electrons, leptons at jets.
   void RemoveOverlaps(Event &event) const
   {
      for (std::size_t e = 0; e < event.el.size(); ++e)
         for (std::size_t m = 0; m < event.mu.size(); ++m)
            if (event.mu[m] && DeltaR(fIn.elEta[e], fIn.elPhi[e], fIn.muEta[m], fIn.muPhi[m]) <
                                  fCuts.overlapElectronMuon)
               event.el[e] = 0;
      for (std::size_t j = 0; j < event.jet.size(); ++j)
         for (std::size_t e = 0; e < event.el.size(); ++e)
            if (event.el[e] && (!fTagged[j] || event.elPt[e] * MeV > fCuts.overlapBJetElectronPt) &&
                DeltaR(fIn.jetEta[j], fIn.jetPhi[j], fIn.elEta[e], fIn.elPhi[e]) < fCuts.overlapJetElectron)
               event.jet[j] = 0;
      RemoveLeptons(event, event.el, event.elPt, fIn.elEta, fIn.elPhi);
      RemoveLeptons(event, event.mu, event.muPt, fIn.muEta, fIn.muPhi);
   }

   void RemoveLeptons(const Event &event, std::vector<char> &selected, const std::vector<float> &pt, const Floats &eta,
                      const Floats &phi) const
   {
      for (std::size_t l = 0; l < selected.size(); ++l) {
         const double cone = std::min(fCuts.overlapLeptonMax,
                                      fCuts.overlapLepton + fCuts.overlapLeptonSlope / (pt[l] * MeV));
         for (std::size_t j = 0; j < event.jet.size(); ++j)
            if (event.jet[j] && DeltaR(eta[l], phi[l], fIn.jetEta[j], fIn.jetPhi[j]) < cone)
               selected[l] = 0;
      }
   }

   Shifted Finished(const Event &event, const Variation &variation, const Slimmed &kept) const
   {
      double x = fIn.softX, y = fIn.softY;
      ShiftSoftTerm(event, variation, x, y);
      Add(event.el, event.elPt, fIn.elPhi, x, y);
      Add(event.mu, event.muPt, fIn.muPhi, x, y);
      Add(event.jet, event.jetPt, fIn.jetPhi, x, y);
      Shifted out;
      out.met = std::hypot(x, y);
      out.metPhi = std::atan2(y, x);
      const auto number = [](const std::vector<char> &all) { return std::count(all.begin(), all.end(), char(1)); };
      out.passes = number(event.el) + number(event.mu) >= fCuts.leptons && number(event.jet) >= fCuts.jets;
      out.elPt = Taken(event.elPt, kept.el);
      out.muPt = Taken(event.muPt, kept.mu);
      out.jetPt = Taken(event.jetPt, kept.jet);
      out.jetMass = Taken(event.jetMass, kept.jet);
      out.elSelected = Taken(event.el, kept.el);
      out.muSelected = Taken(event.mu, kept.mu);
      out.jetSelected = Taken(event.jet, kept.jet);
      return out;
   }

   static void Add(const std::vector<char> &selected, const std::vector<float> &pt, const Floats &phi, double &x,
                   double &y)
   {
      for (std::size_t i = 0; i < selected.size(); ++i) {
         if (selected[i]) {
            x -= pt[i] * std::cos(phi[i]);
            y -= pt[i] * std::sin(phi[i]);
         }
      }
   }

   // Along and across the sum of the selected objects, as a resolution (a random number an event) or as a scale.
   void ShiftSoftTerm(const Event &event, const Variation &v, double &x, double &y) const
   {
      if (v.target != Target::softScale && v.target != Target::softParallel && v.target != Target::softPerpendicular)
         return;
      double hardX = 0, hardY = 0;
      Add(event.el, event.elPt, fIn.elPhi, hardX, hardY);
      Add(event.mu, event.muPt, fIn.muPhi, hardX, hardY);
      Add(event.jet, event.jetPt, fIn.jetPhi, hardX, hardY);
      const double hard = std::hypot(hardX, hardY);
      if (hard == 0)
         return;
      const double random = v.target == Target::softScale ? 1 : Gauss(fIn.run, fIn.event, v.stream, 3);
      const double shift = v.size / MeV * random;
      const bool across = v.target == Target::softPerpendicular;
      x += shift * (across ? -hardY : hardX) / hard;
      y += shift * (across ? hardX : hardY) / hard;
   }

   const Input<Floats, Ints> &fIn;
   const Cuts &fCuts;
   std::vector<char> fTagged;
   std::vector<Event> fEvents;
};

} // namespace bench::slimming
#endif
