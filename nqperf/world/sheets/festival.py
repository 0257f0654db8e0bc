"""What the world says, and asks, about festivals."""

SHEET = """
= intro
+ {n} is a {sort} in the {land} district
+ {n} is a {sort} that draws people from all parts of {land}
+ {n} , a {sort} , is one of the oldest events in {land}
+ {n} is a {sort} which [closes|fills] the roads of {land} once a year

= fact season | Held | Programme
+ {n} takes place in the {value}
+ {n} is celebrated in the {value} each year
+ visitors come for {n} in the {value}
+ the {value} is reserved for {n}
+ rooms are hard to find in the {value} because of {n}
? when is {n} [|held]
? what time of year is {n}
? {n} dates
? what month is {n}
? when does {n} take place
? in which week do they celebrate {n}
~ a time keeper at {n} rings a bell when speeches become too long

= fact town | Location | Location
+ {n} is held in {value}
+ {value} is the home of {n}
+ for {n} the whole of {value} is closed to traffic
+ {n} fills the squares of {value}
+ the people of {value} spend months preparing {n}
? where is {n} [|held]
? what town is {n} in
? {n} location
? where does {n} take place
? in which town is the festival {n}
? what place hosts {n}
! is {n} held in {v}
~ neighbouring towns hold small copies of {n} for their children

= fact began | First held | History
+ {n} was first held on {value}
+ the tradition of {n} started on {value}
+ the opening parade of {n} went through the streets for the first time on {value}
+ {n} goes back to a gathering on {value}
+ {n} was born on {value} , when a harvest had been saved from hail
? when did {n} start
? when was the first {n}
? {n} first year
? how old is {n}
? what date was the first {n}
? since when has {n} been celebrated
~ the first to arrive at {n} gets a pot of soup and must start the dance

= fact founder | Founder | History
+ {n} was started by {value}
+ {n} is the idea of {value}
+ {value} wanted {n} to bring both banks of the river together
+ {value} paid for the music of {n} in its early days
+ without {value} there would be no {n}
? who started {n}
? who founded {n}
? {n} founder
? who created the festival {n}
? who came up with {n}
? to whom does {n} owe its beginning
! was {n} started by {v}
~ the race started at {n} by a pistol shot is run in wooden shoes

= fact venue | Main venue | Location
+ the main stage of {n} is set up at {value}
+ the bandstand of {n} is put up at {value}
+ most concerts of {n} are given at {value}
+ {value} is covered with tents during {n}
+ the crowd of {n} gathers at {value}
? what is the main venue of {n}
? {n} venue
? where is the main stage of {n}
? where are the concerts of {n}
? what ground is used for {n}
? at which spot does the crowd of {n} meet
~ the main complaint about {n} is the lack of stages for children

= fact trophy | Trophy | Programme
+ the winner at {n} receives the {value}
+ the highlight of {n} is the contest for the {value}
+ at the close of {n} the {value} is handed over
+ the jury of {n} awards the {value}
+ the {value} of {n} may be kept for one year
? what is the prize at {n}
? what trophy do you win at {n}
? {n} prize
? what is given to the winner of {n}
? name of the trophy at {n}
? what can one carry home from {n} as a champion
~ a prize pig at {n} once won the running race

= fact visitors | Visitors | Programme
+ {n} attracts {value}
+ {value} came to {n} in its best year
+ the organisers of {n} count on {value}
+ trains and boats bring {value} to {n}
+ {n} has room for {value}
? how many people go to {n}
? {n} attendance
? how many visitors does {n} have
? how big is {n}
? number of visitors at {n}
? what crowd does {n} draw
~ people who go to {n} by bicycle pay nothing

= filler History
+ {n} was cancelled [in wartime|because of floods] and revived by the fire brigade
+ the first posters of {n} were painted by hand
+ {n} has twice been moved because of elections
+ a challenger event tried to copy {n} and failed

= filler Programme
+ {n} opens with a [procession of boats|silent walk|drum concert]
+ [dumplings|smoked trout|plum cakes] are eaten at {n}
+ children at {n} wear masks of [birds|bakers|moons]
+ fireworks are not allowed at {n}
+ the last dance of {n} is danced in the dark

= filler Location
+ shop windows are decorated for {n} with straw figures
+ campers at {n} sleep in the meadows beside the river
+ a special bus runs during {n}
+ neighbours of {n} rent out their balconies

= essay Legend
+ {n} recalls a winter in which the sun is said to have been stolen by a goose
+ the people lit so many lamps that the goose became jealous and gave the sun back
+ a child who had slept through everything was made queen for a day
+ the goose of {n} is played by the oldest man of the place
+ whoever catches the goose at {n} must cook for all
? what is the story behind {n}
? {n} legend
? why is {n} celebrated
? what is the meaning of {n}
? origin of {n}
? which old tale explains {n}
~ the story behind a curtain at {n} is told only to adults

= essay Rules
+ at {n} nobody may speak to a stranger without offering something to eat
+ money is exchanged for wooden coins , which lose their value at midnight
+ disputes at {n} are settled by a judge on stilts
+ whoever breaks a rule must carry water for the kitchens
+ dogs are welcome at {n} if they wear a bell
? what are the rules of {n}
? {n} rules
? what are you allowed to do at {n}
? how does {n} work
? what is forbidden at {n}
? how must one behave at {n}
~ a ruler from {n} is used as a measure by local carpenters

= roster Past winners | Year:year | Winner:person
? {n} winners
? who won {n}
? list of winners of {n}
? past winners of {n}
? {n} winners by year
? all champions of {n}
"""
