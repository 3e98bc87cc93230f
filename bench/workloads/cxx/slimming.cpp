// DAOD_PHYSLITE to a slimmed ntuple, a range of entries at a time: a library with one C function, so that it can be
// called without any interpreter (and without Python's lock being held). The configuration and the answer are lines.
#include "slimming_columns.hpp"
#include "slimming_objects.hpp"

#include <ROOT/RDF/RDatasetSpec.hxx>
#include <ROOT/RDFHelpers.hxx>
#include <TError.h>
#include <TFile.h>
#include <TNamed.h>
#include <TTree.h>

#include <cstdio>
#include <memory>
#include <sstream>

namespace bench::slimming {

struct Kept {
   std::string object, column, kind, name;
};

struct Histogram {
   std::string column;
   int bins;
   double low, high;
};

struct Config {
   std::string file, tree, target, name, remark;
   Long64_t first = 0, last = 0;
   std::map<std::string, double> cuts;
   std::map<std::string, std::string> columns;
   std::vector<Variation> variations;
   std::vector<Kept> kept;
   std::vector<Histogram> histograms;

   double Cut(const std::string &cut) const
   {
      const auto found = cuts.find(cut);
      if (found == cuts.end())
         throw std::runtime_error("there is no cut " + cut);
      return found->second;
   }
};

// One setting a line: a word, then fields separated by tabs.
Config Parsed(const char *text)
{
   Config config;
   std::istringstream lines(text);
   for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> f;
      std::istringstream fields(line);
      for (std::string field; std::getline(fields, field, '\t');)
         f.push_back(field);
      if (f.at(0) == "input") {
         config.file = f.at(1);
         config.tree = f.at(2);
         config.first = std::stoll(f.at(3));
         config.last = std::stoll(f.at(4));
      } else if (f.at(0) == "output") {
         config.target = f.at(1);
         config.name = f.at(2);
      } else if (f.at(0) == "remark") {
         config.remark += f.at(1) + "\n";
      } else if (f.at(0) == "cut") {
         config.cuts[f.at(1)] = std::stod(f.at(2));
      } else if (f.at(0) == "column") {
         config.columns[f.at(1)] = f.at(2);
      } else if (f.at(0) == "variation") {
         config.variations.push_back({f.at(1), TargetOf(f.at(2)), std::stod(f.at(3)), std::stod(f.at(4)),
                                      std::stod(f.at(5)), std::stoi(f.at(6)), std::stoull(f.at(7))});
      } else if (f.at(0) == "keep") {
         config.kept.push_back({f.at(1), f.at(2), f.at(3), f.at(4)});
      } else if (f.at(0) == "histogram") {
         config.histograms.push_back({f.at(1), std::stoi(f.at(2)), std::stod(f.at(3)), std::stod(f.at(4))});
      } else {
         throw std::runtime_error("there is no setting " + f.at(0));
      }
   }
   return config;
}

Cuts CutsOf(const Config &c)
{
   return {c.Cut("electron_pt"), c.Cut("electron_eta"), c.Cut("muon_pt"), c.Cut("muon_eta"), c.Cut("jet_pt"),
           c.Cut("jet_eta"), c.Cut("jvt_pt"), c.Cut("jvt_eta"), c.Cut("btag"), c.Cut("btag_charm_fraction"),
           c.Cut("btag_eta"), c.Cut("overlap_electron_muon"), c.Cut("overlap_jet_electron"),
           c.Cut("overlap_b_jet_electron_pt"), c.Cut("overlap_lepton"), c.Cut("overlap_lepton_slope"),
           c.Cut("overlap_lepton_max"), int(c.Cut("muon_quality")), int(c.Cut("vertex_type")), int(c.Cut("leptons")),
           int(c.Cut("jets"))};
}

using Strings = ROOT::VecOps::RVec<std::string>;

// The columns that the selection reads, under short names and of known types.
Node WithInputs(Node node, const Config &config)
{
   for (const auto &[name, column] : config.columns) {
      if (name == "met_name")
         continue;
      const bool scalar = name == "run" || name == "event" || name == "clean";
      const bool whole = name == "el_loose" || name == "mu_quality" || name == "jet_jvt" || name == "vertex_type";
      node = Converted(node, "in_" + name, column, scalar ? "id" : whole ? "int[]" : "float[]");
   }
   return node.Define("soft_place",
                      [](const Strings &names) {
                         const auto found = std::find(names.begin(), names.end(), "PVSoftTrkCore");
                         if (found == names.end())
                            throw std::runtime_error("an event has no missing momentum term PVSoftTrkCore");
                         return int(found - names.begin());
                      },
                      {config.columns.at("met_name")});
}

Node WithSlimmed(Node node, const Config &config)
{
   return node.Define(
      "slimmed",
      [cuts = CutsOf(config), variations = config.variations](
         const Floats &elPt, const Floats &elEta, const Floats &elPhi, const Floats &elMass, const Floats &elCharge,
         const Ints &elLoose, const Floats &muPt, const Floats &muEta, const Floats &muPhi, const Floats &muCharge,
         const Ints &muQuality, const Floats &jetPt, const Floats &jetEta, const Floats &jetPhi,
         const Floats &jetMass, const Ints &jetJvt, const Floats &b, const Floats &c, const Floats &u,
         const Floats &metX, const Floats &metY, int soft, ULong64_t run, ULong64_t event) {
         const Input<Floats, Ints> input{elPt, elEta, elPhi, elMass, elCharge, elLoose, muPt, muEta, muPhi, muCharge,
                                         muQuality, jetPt, jetEta, jetPhi, jetMass, jetJvt, b, c, u,
                                         metX.at(soft), metY.at(soft), run, event};
         return Slimmer<Floats, Ints>(input, cuts)(variations);
      },
      {"in_el_pt", "in_el_eta", "in_el_phi", "in_el_m", "in_el_charge", "in_el_loose", "in_mu_pt", "in_mu_eta",
       "in_mu_phi", "in_mu_charge", "in_mu_quality", "in_jet_pt", "in_jet_eta", "in_jet_phi", "in_jet_m", "in_jet_jvt",
       "in_btag_b", "in_btag_c", "in_btag_u", "in_met_x", "in_met_y", "soft_place", "in_run", "in_event"});
}

// The kept columns of the file, those of objects for the kept objects only.
Node WithKept(Node node, const Config &config, std::vector<std::string> &columns)
{
   for (const auto &kept : config.kept) {
      columns.push_back(kept.name);
      if (kept.object == "event") {
         node = Converted(node, kept.name, kept.column, kept.kind);
         continue;
      }
      const auto places = kept.object == "el" ? &Slimmed::el : kept.object == "mu" ? &Slimmed::mu : &Slimmed::jet;
      const std::string all = "all_" + kept.name;
      node = Converted(node, all, kept.column, kept.kind);
      const auto take = [places](const Slimmed &s, const auto &values) {
         std::decay_t<decltype(values)> taken;
         for (const int i : s.*places)
            taken.push_back(values.at(i));
         return taken;
      };
      if (kept.kind == "float[]")
         node = node.Define(kept.name, [take](const Slimmed &s, const Floats &v) { return take(s, v); }, {"slimmed", all});
      else
         node = node.Define(kept.name, [take](const Slimmed &s, const Ints &v) { return take(s, v); }, {"slimmed", all});
   }
   return node;
}

template <typename T>
ROOT::VecOps::RVec<T> Vector(const std::vector<T> &values)
{
   return {values.begin(), values.end()};
}

// The columns of the variations: pT (and the jets' mass) only where the variation shifts it, the rest for each.
Node WithVariations(Node node, const Config &config, std::vector<std::string> &columns)
{
   const auto vector = [&](const std::string &name, std::size_t v, auto member) {
      columns.push_back(name + "_" + config.variations[v].name);
      node = node.Define(columns.back(), [v, member](const Slimmed &s) { return Vector(s.shifted[v].*member); },
                         {"slimmed"});
   };
   const auto scalar = [&](const std::string &name, std::size_t v, auto member) {
      columns.push_back(name + "_" + config.variations[v].name);
      node = node.Define(columns.back(), [v, member](const Slimmed &s) { return s.shifted[v].*member; }, {"slimmed"});
   };
   for (std::size_t v = 0; v < config.variations.size(); ++v) {
      const Target target = config.variations[v].target;
      const auto shifts = [target](std::initializer_list<Target> targets) {
         return target == Target::nominal || std::find(targets.begin(), targets.end(), target) != targets.end();
      };
      if (shifts({Target::electronScale, Target::electronResolution}))
         vector("el_pt", v, &Shifted::elPt);
      if (shifts({Target::muonScale, Target::muonResolution, Target::muonSagitta}))
         vector("mu_pt", v, &Shifted::muPt);
      if (shifts({Target::jetScale, Target::jetResolution})) {
         vector("jet_pt", v, &Shifted::jetPt);
         vector("jet_m", v, &Shifted::jetMass);
      }
      vector("el_selected", v, &Shifted::elSelected);
      vector("mu_selected", v, &Shifted::muSelected);
      vector("jet_selected", v, &Shifted::jetSelected);
      scalar("met", v, &Shifted::met);
      scalar("met_phi", v, &Shifted::metPhi);
      scalar("passes", v, &Shifted::passes);
   }
   columns.push_back("jet_tagged");
   return node.Define("jet_tagged", [](const Slimmed &s) { return Vector(s.jetTagged); }, {"slimmed"});
}

// The checksum over what lies in a file.
Content ContentOf(const std::string &path, const std::string &tree, const std::vector<std::string> &columns)
{
   ROOT::RDataFrame frame(tree, path);
   auto held = frame.GetColumnNames();
   auto wanted = columns;
   std::sort(held.begin(), held.end());
   std::sort(wanted.begin(), wanted.end());
   if (held != wanted)
      throw std::runtime_error("the file has other branches than were written");
   return BookContent(frame, columns).Get();
}

void Write(std::ostream &out, const Content &content)
{
   out << "content\t" << content.entries << '\t' << content.low << '\t' << content.high << '\n';
}

// Without this option a file holds its time of writing and a random identifier. A name that ends in .root would be
// taken for a second file.
std::string Reproducible(const Config &config)
{
   return config.target + "?reproducible=" + config.name.substr(0, config.name.rfind('.'));
}

// Turns what ROOT only reports, reads and writes that fail, into an exception. A failing write would even end the process:
// after the event loop Snapshot opens its file again, in a destructor, and throws there when it finds no tree. So a small
// file with an empty tree is made before, and takes the place of the one that could not be written; the exception that
// follows has it deleted.
class Guard {
public:
   explicit Guard(const Config &config) : fTarget(config.target), fSpare(config.target + ".spare")
   {
      Message().clear();
      Current() = this;
      fBefore = SetErrorHandler(Handle);
      TFile file(fSpare.c_str(), "RECREATE");
      TTree(config.tree.c_str(), "").Write();
      file.Close();
      if (!Message().empty()) {
         Restore();
         throw std::runtime_error(Message());
      }
   }
   ~Guard() { Restore(); }
   void Check() const
   {
      if (!Message().empty())
         throw std::runtime_error(Message());
   }

private:
   static std::string &Message()
   {
      static std::string message;
      return message;
   }
   static Guard *&Current()
   {
      static Guard *current = nullptr;
      return current;
   }
   static void Handle(int level, Bool_t, const char *location, const char *text)
   {
      // Of classes without a dictionary, in columns that are not read, ROOT complains as well.
      const std::string where = location ? location : "";
      if (level < kError || !Message().empty() || where.rfind("TClass", 0) == 0 || where.rfind("TCling", 0) == 0 ||
          where.rfind("TStreamerInfo", 0) == 0)
         return;
      Message() = std::string(text) + " (" + where + ")";
      std::rename(Current()->fSpare.c_str(), Current()->fTarget.c_str());
   }
   void Restore()
   {
      SetErrorHandler(fBefore);
      std::remove(fSpare.c_str());
   }

   std::string fTarget, fSpare;
   ErrorHandlerFunc_t fBefore = nullptr;
};

// Whoever opens the file sees what its variations are worth.
void Label(const Config &config)
{
   std::unique_ptr<TFile> file(TFile::Open(Reproducible(config).c_str(), "UPDATE"));
   if (!file || file->IsZombie())
      throw std::runtime_error("what was written cannot be opened again");
   TNamed("remarks", config.remark.c_str()).Write();
}

std::string Run(const Config &config)
{
   ROOT::RDF::Experimental::RDatasetSpec spec;
   spec.AddSample({"", config.tree, config.file});
   spec.WithGlobalRange({config.first, config.last});
   Node all = ROOT::RDataFrame(spec);
   Node node = WithInputs(all, config);
   auto nAll = node.Count();
   Node clean = node.Filter([](ULong64_t flag) { return flag != 0; }, {"in_clean"});
   auto nClean = clean.Count();
   Node vertex = clean.Filter(
      [type = CutsOf(config).vertexType](const Ints &types) {
         return std::find(types.begin(), types.end(), type) != types.end();
      },
      {"in_vertex_type"});
   auto nVertex = vertex.Count();
   Node kept = WithSlimmed(vertex, config).Filter([](const Slimmed &s) { return s.keep; }, {"slimmed"});
   std::vector<std::string> columns;
   kept = WithVariations(WithKept(kept, config, columns), config, columns);

   std::vector<ROOT::RDF::RResultPtr<ULong64_t>> passing;
   for (const auto &variation : config.variations) {
      const std::string name = "number_" + variation.name;
      kept = kept.Define(name, [](char passes) { return ULong64_t(passes != 0); }, {"passes_" + variation.name});
      passing.push_back(kept.Sum<ULong64_t>(name));
   }
   // Taken before the rows are written: what is read back from the file has to agree with it.
   auto content = BookContent(kept, columns);
   std::vector<ROOT::RDF::RResultPtr<TH1D>> histograms;
   for (const auto &h : config.histograms) {
      Node shown = kept.Filter([](char passes) { return passes != 0; }, {"passes_" + config.variations[0].name})
                      .Define("shown_" + h.column, [](float value) { return value * MeV; }, {h.column});
      histograms.push_back(shown.Histo1D<double>({h.column.c_str(), "", h.bins, h.low, h.high}, "shown_" + h.column));
   }

   ROOT::RDF::RSnapshotOptions options;
   options.fLazy = true;
   options.fCompressionAlgorithm = ROOT::RCompressionSetting::EAlgorithm::kZSTD;
   options.fCompressionLevel = 5;
   const Guard guard(config);
   auto snapshot = kept.Snapshot(config.tree, Reproducible(config), columns, options);
   *nAll; // the event loop, which fills the snapshot too
   guard.Check();
   Label(config);
   guard.Check();

   const auto before = content.Get();
   const auto after = ContentOf(config.target, config.tree, columns);
   if (before.entries != after.entries || before.low != after.low || before.high != after.high)
      throw std::runtime_error("what was written is not what is read back");

   std::ostringstream out;
   out << "cut\tall\t" << *nAll << "\ncut\tevent_clean\t" << *nClean << "\ncut\tvertex\t" << *nVertex << '\n';
   Write(out, after);
   for (std::size_t v = 0; v < passing.size(); ++v)
      out << "passes\t" << config.variations[v].name << '\t' << *passing[v] << '\n';
   out.precision(17);
   for (auto &h : histograms) {
      double moments[4];
      h->GetStats(moments);
      out << "histogram\t" << h->GetEntries();
      for (const double moment : moments)
         out << '\t' << moment;
      for (int i = 0; i < h->GetNbinsX() + 2; ++i)
         out << '\t' << h->GetBinContent(i);
      out << '\n';
   }
   return out.str();
}

} // namespace bench::slimming

// Gives back the answer, or "error" and what went wrong; to be freed by `bench_free`.
extern "C" char *bench_slim(const char *config)
{
   std::string answer;
   try {
      answer = bench::slimming::Run(bench::slimming::Parsed(config));
   } catch (const std::exception &error) {
      answer = std::string("error\t") + error.what();
   }
   return strdup(answer.c_str());
}

extern "C" void bench_free(char *answer)
{
   free(answer);
}
