# Two targets over our own sources, called by hand and before a release:
#
#   cmake --build --preset debug --target format-check    clang-format has nothing to change (.clang-format)
#   cmake --build --preset debug --target tidy            clang-tidy has nothing to say (.clang-tidy)
#
# Both fail when they match no file or their tool is not installed: a check that looks at nothing must not pass.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS agent/*.[ch] controller/*.[ch] shared/*.[ch] certs/*.[ch] tests/*.[ch])
# Tidy: only what every preset compiles has a command line to be parsed with; headers are looked at through it.
file(GLOB_RECURSE compiled CONFIGURE_DEPENDS agent/*.c controller/*.c shared/*.c certs/*.c)

# kedge_check(TARGET TOOL FILES file… OPTIONS option…): the tool over the files, some at a time.
function(kedge_check target tool)
  cmake_parse_arguments(arg "" "" "FILES;OPTIONS" ${ARGN})
  find_program(KEDGE_${tool} NAMES ${tool})
  if(NOT arg_FILES)
    set(problem "${target}: there are no files to look at")
  elseif(NOT KEDGE_${tool})
    set(problem "${target}: ${tool} is not installed")
  endif()
  if(problem)
    add_custom_target(${target} COMMAND ${CMAKE_COMMAND} -E echo "${problem}" COMMAND ${CMAKE_COMMAND} -E false)
    return()
  endif()
  list(LENGTH arg_FILES count)
  list(JOIN arg_FILES "\n" lines)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/${target}.files CONTENT "${lines}\n")
  add_custom_target(${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM USES_TERMINAL
    COMMAND xargs -a ${CMAKE_BINARY_DIR}/${target}.files -d "\\n" -P 2 -n 16 ${KEDGE_${tool}} ${arg_OPTIONS}
    COMMENT "${target}: ${tool} looks at ${count} files")
endfunction()

kedge_check(format-check clang-format FILES ${sources} OPTIONS --dry-run -Werror)
kedge_check(tidy clang-tidy FILES ${compiled} OPTIONS -p ${CMAKE_BINARY_DIR} --quiet -extra-arg=-Wno-unknown-warning-option)
