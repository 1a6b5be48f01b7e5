# How Kedge is built: the warnings, the foreign libraries, and what a folder is.
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
option(KEDGE_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)
option(KEDGE_TESTS "Build the tests" ON)
set(KEDGE_SANITIZE "" CACHE STRING "Sanitizers, as in address,undefined or thread")

add_compile_definitions(_GNU_SOURCE KEDGE_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
  -fno-common -fstack-protector-strong -ffunction-sections -fdata-sections)
# Outputs are untouched on failure here, and gcc cannot see that their users looked at the code first.  clang, ASan and UBSan watch that.
add_compile_options($<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
add_link_options(-Wl,--gc-sections -Wl,-z,relro,-z,now)
include_directories(${CMAKE_SOURCE_DIR})
if(KEDGE_SANITIZE)
  add_compile_options(-fsanitize=${KEDGE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KEDGE_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2)
endif()
# Assertions are for our own bugs and stay on in release (docs/ARCHITECTURE.md).
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
if(KEDGE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Foreign libraries, each linked (PRIVATE) by the one folder that sees it.
foreach(pair IN ITEMS openssl:openssl libcrypto:libcrypto websockets:libwebsockets msgpack:msgpack lmdb:lmdb curl:libcurl zstd:libzstd zlib:zlib sqlite:sqlite3
    jansson:jansson yaml:yaml-0.1 seccomp:libseccomp systemd:libsystemd cmocka:cmocka)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 module)
  if(name STREQUAL "cmocka" AND NOT KEDGE_TESTS)
    continue()
  endif()
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${module})
endforeach()

# kedge_library(NAME [USES library…] [FOREIGN library…]): every .c file of this folder but main.c is the library.
# USES are our own (PUBLIC: a header may name their types), FOREIGN are other people's (PRIVATE).
function(kedge_library name)
  cmake_parse_arguments(arg "" "" "USES;FOREIGN" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  if(NOT sources) # headers alone
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_USES})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC ${arg_USES} PRIVATE ${arg_FOREIGN})
endfunction()

# kedge_program(NAME SOURCES file… USES library…)
function(kedge_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;FOREIGN" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_USES} ${arg_FOREIGN})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# kedge_unit_tests(USES library… [FOREIGN library…] [LABELS label…]): each test_*.c of this folder is one cmocka program and one
# ctest named after its path below tests/ ("unit/shared/base/test_text").  LABELS defaults to the first folder (unit, contract, …).
function(kedge_unit_tests)
  cmake_parse_arguments(arg "" "TIMEOUT" "USES;FOREIGN;LABELS" ${ARGN})
  file(RELATIVE_PATH here ${CMAKE_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT arg_LABELS)
    string(REGEX REPLACE "/.*" "" arg_LABELS ${here})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS test_*.c)
  foreach(source IN LISTS sources)
    get_filename_component(base ${source} NAME_WE)
    string(REPLACE "/" "_" target "${here}_${base}")
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE ${arg_USES} ${arg_FOREIGN} PkgConfig::cmocka)
    add_test(NAME ${here}/${base} COMMAND ${target})
    set_tests_properties(${here}/${base} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
      ENVIRONMENT "KEDGE_SOURCE_DIR=${CMAKE_SOURCE_DIR};KEDGE_BINARY_DIR=${CMAKE_BINARY_DIR}")
  endforeach()
endfunction()

# kedge_fuzz_target(NAME USES library…): tests/fuzz/NAME.c with LLVMFuzzerTestOneInput.  With KEDGE_FUZZ a libFuzzer program; else a
# program that replays the corpus tests/fuzz/corpus/NAME and many mutations of it from a fixed seed, run by ctest.
function(kedge_fuzz_target name)
  cmake_parse_arguments(arg "" "" "USES;FOREIGN" ${ARGN})
  if(KEDGE_FUZZ)
    add_executable(fuzz_${name} ${name}.c)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${name}.c ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME fuzz/${name} COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(fuzz_${name} PRIVATE ${arg_USES} ${arg_FOREIGN})
endfunction()

if(KEDGE_TESTS)
  enable_testing()
endif()
