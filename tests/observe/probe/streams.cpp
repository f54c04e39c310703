// Files as the C++ standard library opens, copies, renames and removes them.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

int main() {
    std::string line;
    std::ifstream in("in");
    std::getline(in, line);
    std::ofstream("out") << line;
    std::fstream("old", std::ios::in | std::ios::out | std::ios::app) << line;
    std::filesystem::copy_file("in2", "copy");
    std::filesystem::rename("old2", "new");
    std::filesystem::create_symlink("in", "soft");
    std::filesystem::resize_file("new", 1);
    std::filesystem::remove("copy");
    return std::filesystem::remove_all("dir") > 0 ? 0 : 1;
}
