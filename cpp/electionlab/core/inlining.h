// What a compiler cannot know: kept out of the loop's code is what happens rarely, or only while
// recording; kept in it is what happens at every event.
#pragma once

#if defined(__GNUC__)
#define EL_COLD [[gnu::noinline]]
#define EL_HOT [[gnu::always_inline]] inline
#else
#define EL_COLD
#define EL_HOT inline
#endif
