// Events in the layout of DAOD_PHYSLITE made of a few random numbers: the names and types of the real format's split
// branches, and every case that the slimming has to tell apart; not a simulation of a detector.
#ifndef BENCH_PHYSLITE_HPP
#define BENCH_PHYSLITE_HPP

#pragma cling optimize(2)

#include <TFile.h>
#include <TTree.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "random.hpp"

namespace bench::physlite {

// A container's columns: vectors that are branches of their own and are emptied before each event.
class Container {
public:
   Container(TTree &tree, std::string name, std::vector<std::function<void()>> &clear)
      : fTree(tree), fName(std::move(name)), fClear(clear)
   {
   }
   template <typename T>
   std::vector<T> &Column(const std::string &name)
   {
      auto column = std::make_shared<std::vector<T>>();
      fTree.Branch((fName + "AuxDyn." + name).c_str(), column.get());
      fClear.push_back([column] { column->clear(); });
      return *column;
   }

private:
   TTree &fTree;
   std::string fName;
   std::vector<std::function<void()>> &fClear;
};

struct Direction {
   double eta, phi;
   Direction Near(Random &random, double width) const
   {
      return {eta + width * random.Gauss(), std::remainder(phi + width * random.Gauss(), 2 * M_PI)};
   }
   static Direction Any(Random &random, double width)
   {
      return {width * random.Gauss(), random.Uniform(-M_PI, M_PI)};
   }
};

struct Electrons {
   std::vector<float> &pt, &eta, &phi, &m, &charge, &cone, &track;
   std::vector<char> &loose, &looseBL, &medium, &tight;
   std::vector<int> &type, &origin;
   std::vector<unsigned short> &author;
   std::vector<unsigned> &quality;

   explicit Electrons(Container c)
      : pt(c.Column<float>("pt")), eta(c.Column<float>("eta")), phi(c.Column<float>("phi")), m(c.Column<float>("m")),
        charge(c.Column<float>("charge")), cone(c.Column<float>("topoetcone20")),
        track(c.Column<float>("ptvarcone30_Nonprompt_All_MaxWeightTTVALooseCone_pt1000")),
        loose(c.Column<char>("DFCommonElectronsLHLoose")), looseBL(c.Column<char>("DFCommonElectronsLHLooseBL")),
        medium(c.Column<char>("DFCommonElectronsLHMedium")), tight(c.Column<char>("DFCommonElectronsLHTight")),
        type(c.Column<int>("truthType")), origin(c.Column<int>("truthOrigin")),
        author(c.Column<unsigned short>("author")), quality(c.Column<unsigned>("OQ"))
   {
   }
   void Add(Random &random, double gev, Direction at)
   {
      const double id = random.Uniform();
      pt.push_back(1000 * gev);
      eta.push_back(at.eta);
      phi.push_back(at.phi);
      m.push_back(0.51099895f);
      charge.push_back(random.Chance(0.5) ? 1 : -1);
      cone.push_back(1000 * random.Gauss());
      track.push_back(random.Chance(0.7) ? 0 : random.Exponential(1500));
      loose.push_back(id < 0.95);
      looseBL.push_back(id < 0.92);
      medium.push_back(id < 0.85);
      tight.push_back(id < 0.75);
      type.push_back(id < 0.9 ? 2 : 4);
      origin.push_back(id < 0.9 ? 12 : 5);
      author.push_back(1);
      quality.push_back(random.Chance(0.02) ? 2 : 0);
   }
};

struct Muons {
   std::vector<float> &pt, &eta, &phi, &charge, &ptcone, &ptvarcone, &cone, &track, &flow;
   std::vector<unsigned char> &quality;
   std::vector<unsigned short> &muonType, &authors;
   std::vector<int> &type, &origin;

   explicit Muons(Container c)
      : pt(c.Column<float>("pt")), eta(c.Column<float>("eta")), phi(c.Column<float>("phi")),
        charge(c.Column<float>("charge")), ptcone(c.Column<float>("ptcone20")),
        ptvarcone(c.Column<float>("ptvarcone30")), cone(c.Column<float>("topoetcone20")),
        track(c.Column<float>("ptvarcone30_Nonprompt_All_MaxWeightTTVA_pt500")),
        flow(c.Column<float>("neflowisol20")), quality(c.Column<unsigned char>("quality")),
        muonType(c.Column<unsigned short>("muonType")), authors(c.Column<unsigned short>("allAuthors")),
        type(c.Column<int>("truthType")), origin(c.Column<int>("truthOrigin"))
   {
   }
   void Add(Random &random, double gev, Direction at)
   {
      const double id = random.Uniform();
      pt.push_back(1000 * gev);
      eta.push_back(at.eta);
      phi.push_back(at.phi);
      charge.push_back(random.Chance(0.5) ? 1 : -1);
      for (auto *isolation : {&ptcone, &ptvarcone, &track})
         isolation->push_back(random.Chance(0.7) ? 0 : random.Exponential(1500));
      cone.push_back(1000 * random.Gauss());
      flow.push_back(random.Exponential(800));
      // The low bits are the working point; the others tell how the muon was found.
      quality.push_back((id < 0.6 ? 0 : id < 0.85 ? 1 : id < 0.95 ? 2 : 3) | 8 * random.Chance(0.9));
      muonType.push_back(0);
      authors.push_back(2);
      type.push_back(id < 0.9 ? 6 : 8);
      origin.push_back(id < 0.9 ? 12 : 26);
   }
};

struct Jets {
   std::vector<float> &pt, &eta, &phi, &m, &fjvt, &timing, &em, &width;
   std::vector<char> &jvt, &hard;
   std::vector<int> &label;
   std::vector<float> &gb, &gc, &gu, &db, &dc, &du;

   Jets(Container c, Container b)
      : pt(c.Column<float>("pt")), eta(c.Column<float>("eta")), phi(c.Column<float>("phi")), m(c.Column<float>("m")),
        fjvt(c.Column<float>("DFCommonJets_fJvt")), timing(c.Column<float>("Timing")), em(c.Column<float>("EMFrac")),
        width(c.Column<float>("Width")), jvt(c.Column<char>("NNJvtPass")), hard(c.Column<char>("isJvtHS")),
        label(c.Column<int>("HadronConeExclTruthLabelID")), gb(b.Column<float>("GN2v00_pb")),
        gc(b.Column<float>("GN2v00_pc")), gu(b.Column<float>("GN2v00_pu")), db(b.Column<float>("DL1dv01_pb")),
        dc(b.Column<float>("DL1dv01_pc")), du(b.Column<float>("DL1dv01_pu"))
   {
   }
   void Add(Random &random, double gev, Direction at, double fractionB)
   {
      const double flavour = random.Uniform();
      const int truth = flavour < fractionB ? 5 : flavour < fractionB + 0.1 ? 4 : flavour < fractionB + 0.12 ? 15 : 0;
      pt.push_back(1000 * gev);
      eta.push_back(at.eta);
      phi.push_back(at.phi);
      m.push_back(1000 * gev * random.Uniform(0.05, 0.2));
      fjvt.push_back(random.Uniform());
      timing.push_back(2 * random.Gauss());
      em.push_back(random.Uniform());
      width.push_back(random.Uniform(0, 0.3));
      hard.push_back(random.Chance(0.85));
      jvt.push_back(hard.back() ? random.Chance(0.96) : random.Chance(0.1));
      label.push_back(truth);
      for (const auto &[pb, pc, pu] : {std::tie(gb, gc, gu), std::tie(db, dc, du)}) {
         const double b = std::exp((truth == 5 ? 3 : truth == 4 ? 0 : -2) + 1.5 * random.Gauss());
         const double c = std::exp((truth == 4 ? 1 : -1) + random.Gauss());
         pb.push_back(b / (1 + b + c));
         pc.push_back(c / (1 + b + c));
         pu.push_back(1 / (1 + b + c));
      }
   }
};

// The events from `first` up to, and not including, `end`.
inline void Write(const char *path, Long64_t first, Long64_t end, std::uint64_t seed, Long64_t entriesPerCluster)
{
   TFile file(path, "RECREATE", "", 505);
   TTree tree("CollectionTree", "generated events, not data");
   std::vector<std::function<void()>> clear;
   const auto container = [&](const char *name) { return Container(tree, name, clear); };
   Electrons electrons(container("AnalysisElectrons"));
   Muons muons(container("AnalysisMuons"));
   Jets jets(container("AnalysisJets"), container("BTagging_AntiKt4EMPFlow"));
   auto met = container("MET_Core_AnalysisMET"), vertices = container("PrimaryVertices"), info = container("EventInfo");
   auto &names = met.Column<std::string>("name");
   auto &mpx = met.Column<float>("mpx"), &mpy = met.Column<float>("mpy"), &sumet = met.Column<float>("sumet");
   auto &source = met.Column<ULong64_t>("source");
   auto &x = vertices.Column<float>("x"), &y = vertices.Column<float>("y"), &z = vertices.Column<float>("z");
   auto &vertexType = vertices.Column<short>("vertexType");
   auto &weights = info.Column<float>("mcEventWeights");

   ULong64_t event = 0;
   UInt_t run = 284500, channel = 999000, randomRun = 0, lumi = 0;
   Float_t average = 0, actual = 0, pileup = 1, filterMet = 0, filterHt = 0;
   Char_t clean = 1;
   const auto scalar = [&tree](const char *name, auto *value, const char *type) {
      tree.Branch((std::string("EventInfoAuxDyn.") + name).c_str(), value, (std::string(name) + type).c_str());
   };
   scalar("eventNumber", &event, "/l");
   scalar("mcEventNumber", &event, "/l");
   scalar("runNumber", &run, "/i");
   scalar("mcChannelNumber", &channel, "/i");
   scalar("RandomRunNumber", &randomRun, "/i");
   scalar("lumiBlock", &lumi, "/i");
   scalar("averageInteractionsPerCrossing", &average, "/F");
   scalar("actualInteractionsPerCrossing", &actual, "/F");
   scalar("PileupWeight_NOSYS", &pileup, "/F");
   scalar("GenFiltMET", &filterMet, "/F");
   scalar("GenFiltHT", &filterHt, "/F");
   scalar("DFCommonJets_eventClean_LooseBad", &clean, "/B");

   tree.SetAutoFlush(entriesPerCluster);
   for (Long64_t entry = first; entry < end; ++entry) {
      auto random = Random(seed * 0xD1B54A32D192ED03ull).With(entry * Random::kStep);
      for (const auto &column : clear)
         column();
      for (int n = random.Poisson(2.5); n > 0; --n)
         jets.Add(random, 12 + random.Exponential(45), Direction::Any(random, 1.4), 0.25);
      const std::size_t hadronic = jets.pt.size();
      for (int n = random.Poisson(0.9); n > 0; --n) {
         const double pt = 3 + random.Exponential(30);
         const auto at = Direction::Any(random, 1.2);
         electrons.Add(random, pt, at);
         // The calorimeter's clusters of an electron are a jet too.
         if (random.Chance(0.9))
            jets.Add(random, pt * random.Uniform(0.95, 1.15), at.Near(random, 0.02), 0.05);
      }
      for (int n = random.Poisson(0.9); n > 0; --n) {
         const double pt = 3 + random.Exponential(30);
         auto at = Direction::Any(random, 1.2);
         if (hadronic && random.Chance(0.15))
            at = Direction{jets.eta[0], jets.phi[0]}.Near(random, 0.1); // of a heavy hadron
         muons.Add(random, pt, at);
         if (random.Chance(0.03))
            electrons.Add(random, pt * random.Uniform(0.5, 1), at.Near(random, 0.003)); // a radiated photon
      }
      for (const char *term : {"SoftClusCore", "PVSoftTrkCore"}) {
         names.push_back(term);
         mpx.push_back(8000 * random.Gauss());
         mpy.push_back(8000 * random.Gauss());
         sumet.push_back(random.Exponential(60000));
         source.push_back(names.size());
      }
      const int n = 1 + random.Poisson(20);
      const int primary = random.Chance(0.995) ? 1 : 0; // without a primary vertex now and then
      for (int i = 0; i < n; ++i) {
         x.push_back(-0.5 + 0.01 * random.Gauss());
         y.push_back(-0.5 + 0.01 * random.Gauss());
         z.push_back(40 * random.Gauss());
         vertexType.push_back(i == 0 ? primary : i + 1 == n ? 0 : 3);
      }
      event = entry + 1;
      randomRun = run + entry % 100;
      lumi = 1 + entry / 1000;
      average = random.Uniform(10, 60);
      actual = average + random.Gauss();
      pileup = random.Uniform(0.5, 1.5);
      filterMet = random.Exponential(60000);
      filterHt = random.Exponential(200000);
      clean = random.Chance(0.99);
      const float weight = random.Chance(0.1) ? -1 : 1;
      for (int i = 0; i < 3; ++i)
         weights.push_back(weight * (1 + 0.05 * i * random.Gauss()));
      tree.Fill();
   }
   tree.Write();
   file.Close();
}

} // namespace bench::physlite
#endif
